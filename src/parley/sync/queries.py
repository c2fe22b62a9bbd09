"""What is asked of the local copy: ``query("page")`` is ``sql/page.sql``."""

from __future__ import annotations

from parley.queries import queries

query = queries("parley.sync")
