"""The SQL that this package runs, from the ``.sql`` files beside the modules that run it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import LiteralString


def queries(package: str) -> Callable[[str], LiteralString]:
    """Return a function that gives the text of ``sql/<name>.sql`` in a package.

    The text is part of the package, never user input, so it may be executed as SQL.
    """

    @cache
    def query(name: str) -> LiteralString:
        return files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")

    return query
