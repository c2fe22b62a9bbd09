"""What is asked of a catalog: ``query("columns")`` is ``sql/columns.sql``."""

from __future__ import annotations

from parley.queries import queries

query = queries("parley.codegen")
