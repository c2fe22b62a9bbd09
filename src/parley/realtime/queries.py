"""The SQL this package runs, from the `.sql` files beside it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import LiteralString


@cache
def query(name: str) -> LiteralString:
    """Return the text of ``sql/<name>.sql``; it is part of the package and not user input."""
    return files("parley.realtime").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
