"""What is asked of Postgres here: ``query("streams")`` is ``sql/streams.sql``."""

from __future__ import annotations

from parley.queries import queries

query = queries("parley.seeding")
