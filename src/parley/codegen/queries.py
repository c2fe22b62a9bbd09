"""The queries on a catalog: ``query("columns")`` returns ``sql/columns.sql``."""

from __future__ import annotations

from parley.queries import queries

query = queries("parley.codegen")
