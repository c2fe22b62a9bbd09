"""A table of the project's own that travels into the copy, as the app names it."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from reprlib import repr as short
from typing import Any, TypeAlias
from uuid import UUID

from parley.errors import InvalidInput
from parley.sync.rows import is_text

Scalar: TypeAlias = str | int | float | bool | Decimal | UUID | dt.date | dt.datetime | None
"""A value that a column is compared with."""
Where: TypeAlias = Mapping[str, Scalar | Sequence[Scalar]]
"""What rows must equal, by column; a list is one of them."""

NAME = re.compile(r"[^.]+\..{1,200}")
COLUMN = re.compile(r'[^"\\\x00-\x1f]{1,63}')
"""The names of columns that SQLite finds inside a row."""
DAYS_MOST = 36_500
MOST_INTEGER = 2**63


@dataclass(frozen=True)
class Table:
    """A table in the copy, or the part of it that an app needs.

    ``name`` is that of the database, with its schema. ``where`` names what rows must equal;
    ``newest`` is a column of times and a number of days, and rows that are older stay out.
    ``indexes`` are the columns by which ``rows`` looks, one index each; the key has one. Raises
    InvalidInput.

    Table("public.payments", where={"status": "open"}, newest=("paid_at", 90), indexes=["status"])
    """

    name: str
    where: Where = field(default_factory=dict)
    newest: tuple[str, int] | None = None
    indexes: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not is_text(self.name) or NAME.fullmatch(self.name) is None:
            raise InvalidInput(
                f"{short(self.name)} is no name of a table.",
                "Name it with its schema: public.payments.",
            )
        as_where(self.where)
        if self.newest is not None and not is_newest(self.newest):
            raise InvalidInput(
                f"{short(self.newest)} is no column with a number of days.",
                f'Write newest=("paid_at", 90), with 1 to {DAYS_MOST} days.',
            )
        if isinstance(self.indexes, str) or not all(map(is_column, self.indexes)):
            raise InvalidInput(
                f"{short(self.indexes)} are no columns for indexes.", "Give a list of columns."
            )

    @property
    def subset(self) -> dict[str, Any]:
        """Which rows it is about, as the server is asked for them."""
        subset: dict[str, Any] = {}
        if self.where:
            subset["where"] = as_where(self.where)
        if self.newest is not None:
            subset["newest"] = {"column": self.newest[0], "days": self.newest[1]}
        return subset

    @property
    def definition(self) -> str:
        """The same as text: rows that were fetched for another one are not those of this table."""
        return json.dumps(self.subset, sort_keys=True, default=float)


def as_tables(tables: Iterable[Table]) -> dict[str, Table]:
    """Return tables by name. Raises InvalidInput."""
    if not isinstance(tables, list | tuple) or not all(isinstance(each, Table) for each in tables):
        raise InvalidInput(
            f"{short(tables)} are no tables.", 'Give a list of Table("public.payments").'
        )
    by_name = {each.name: each for each in tables}
    if len(by_name) < len(tables):
        raise InvalidInput("A table is named twice.", "Name each of them once.")
    return by_name


def as_where(where: Where) -> dict[str, Any]:
    """Return what rows must equal, as JSON has it. Raises InvalidInput."""
    if not isinstance(where, Mapping) or not all(map(is_text, where)):
        raise InvalidInput(
            f"{short(where)} names no columns.", 'Write {"status": "open"}, or a list of values.'
        )
    return {
        column: (
            [as_value(each) for each in value]
            if isinstance(value, list | tuple | set | frozenset)
            else as_value(value)
        )
        for column, value in where.items()
    }


def as_value(value: object) -> Any:
    """Return a value as a row has it that came as JSON. Raises InvalidInput."""
    if value is None or (isinstance(value, int) and abs(value) <= MOST_INTEGER):
        return value
    if isinstance(value, str) and is_text(value):
        return value
    if isinstance(value, Decimal | float) and Decimal(value).is_finite():
        return Decimal(repr(value)) if isinstance(value, float) else value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dt.datetime):
        return printed(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    raise InvalidInput(
        f"{short(value)} is nothing that a column is compared with.",
        "Give text, a number, a boolean, an id, a time or None.",
    )


def printed(time: dt.datetime) -> str:
    """Return a time as Postgres prints it in JSON: in UTC, without zeros at its end."""
    if time.tzinfo is not None:
        time = time.astimezone(dt.UTC)
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{time.microsecond:06}".rstrip("0").rstrip(".")
    return f"{seconds}{fraction}{'' if time.tzinfo is None else '+00:00'}"


def is_column(value: object) -> bool:
    """Tell whether a value is the name of a column that SQLite finds inside a row."""
    return is_text(value) and COLUMN.fullmatch(value) is not None


def is_newest(value: object) -> bool:
    """Tell whether a value is a column with a number of days."""
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and is_text(value[0])
        and type(value[1]) is int
        and 1 <= value[1] <= DAYS_MOST
    )


def is_same(value: object, wanted: object) -> bool:
    """Tell whether a column holds a value: true is not 1, and 1.0 is."""
    return isinstance(value, bool) is isinstance(wanted, bool) and value == wanted


def holds(row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Tell whether a row equals what ``as_where`` returned."""
    return all(
        any(
            is_same(row.get(column), each)
            for each in (wanted if type(wanted) is list else [wanted])
        )
        for column, wanted in where.items()
    )
