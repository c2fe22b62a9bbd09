"""What is asked of Postgres here: ``query("replay")`` is ``sql/replay.sql``."""

from __future__ import annotations

from parley.queries import queries

query = queries("parley.realtime")
