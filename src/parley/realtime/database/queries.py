"""The queries of the Realtime server: ``query("replay")`` returns ``sql/replay.sql``."""

from __future__ import annotations

from parley.queries import queries

query = queries("parley.realtime.database")
