"""What is asked of a database here: ``query("facts")`` is ``sql/facts.sql``."""

from __future__ import annotations

from parley.queries import queries

query = queries("parley.inspection")
