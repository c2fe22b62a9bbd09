"""The queries of seeding: ``query("streams")`` returns ``sql/streams.sql``."""

from __future__ import annotations

from parley.queries import queries

query = queries("parley.seeding")
