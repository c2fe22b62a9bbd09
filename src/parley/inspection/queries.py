"""The queries of inspection: ``query("facts")`` returns ``sql/facts.sql``."""

from __future__ import annotations

from parley.queries import queries

query = queries("parley.inspection")
