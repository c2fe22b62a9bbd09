"""Rows as they came: what of them the copy relies on, and how they are kept.

A row is read when somebody looks at it (``kinds`` says why), and one that cannot be read costs
nothing but itself. Its key, its number and the few columns that decide what is in the copy are
checked when it comes, because a wrong one would cost others: an answer with such a row is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, TypeAlias, TypeGuard
from uuid import uuid4

from parley.errors import AnswerRefused
from parley.wire import Unreadable

Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Mapping[str, Sequence[Row]]

BIGGEST = 2**53
"""Numbers of streams and places end here: JavaScript counts no further."""
ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HINT = "It is asked for again later; if it stays like that, client and server do not fit together."

COMPACT: Mapping[str, Any] = {
    "ensure_ascii": False,
    "separators": (",", ":"),
    "allow_nan": False,
}
# Numbers with a fraction come as Decimal; no column of ours has one, only attachments may.
encode = json.JSONEncoder(**COMPACT, default=float).encode


def refused(why: str) -> AnswerRefused:
    """The error for an answer that makes no sense."""
    return AnswerRefused(f"The server's answer makes no sense: {why}.", HINT)


def is_number(value: Any) -> TypeGuard[int]:
    """Tell whether a JSON value can be a number of a stream or a place in a room."""
    return type(value) is int and 0 <= value <= BIGGEST


def is_id(value: Any) -> TypeGuard[str]:
    """Tell whether a JSON value is a uuid as the server prints it."""
    return isinstance(value, str) and ID.fullmatch(value) is not None


def is_text(value: Any) -> TypeGuard[str]:
    """Tell whether a JSON value is text that can be kept: without half of a surrogate pair."""
    return isinstance(value, str) and (value.isascii() or is_whole(value))


def is_whole(value: str) -> bool:
    """Tell whether text is made of whole characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def text_of(row: Row, column: str) -> str:
    """The text in a column, empty when there is none."""
    value = row.get(column)
    return value if is_text(value) else ""


def microseconds_of(row: Row, column: str) -> int:
    """The time in a column in microseconds since 1970, 0 when there is none."""
    try:
        return (datetime.fromisoformat(row[column]) - EPOCH) // MICROSECOND
    except (KeyError, OverflowError, TypeError, ValueError):
        return 0


def time_of(microseconds: int) -> datetime:
    """The time so many microseconds after 1970."""
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return EPOCH


TESTS: Mapping[str, Callable[[Any], bool]] = {
    "seq": is_number,
    "rev": is_number,
    "emoji": is_text,
    "kind": is_text,
    "left_at": lambda value: value is None or is_text(value),
}
"""By the last word of a column; all others are ids."""


def test_of(column: str) -> Callable[[Any], bool]:
    """How a column that the copy relies on is looked at."""
    return TESTS.get(column) or TESTS.get(column.rpartition("_")[2]) or is_id


def dumped(row: Row) -> str:
    """A row as it is kept: JSON that SQLite and the models read, or in a list if there is none."""
    try:
        text = encode(row)
        if is_text(text):
            return text
    except (RecursionError, TypeError, ValueError):
        pass
    return json.dumps([repr_of(row)])


def dumped_exactly(row: Row) -> str:
    """A row as it is kept when its numbers may have fractions: with every digit."""
    mark = uuid4().hex
    numbers: list[str] = []

    def note(value: object) -> str:
        if not isinstance(value, Decimal):
            raise TypeError
        numbers.append(str(value))
        return mark

    try:
        parts = json.dumps(row, **COMPACT, default=note).split(f'"{mark}"')
        text = "".join(chain.from_iterable(zip(parts, [*numbers, ""], strict=True)))
        if is_text(text):
            return text
    except (RecursionError, TypeError, ValueError):
        pass
    return json.dumps([repr_of(row)])


def repr_of(row: Row) -> str:
    """A row that cannot be kept as a row, as the text it came in."""
    mark = uuid4().hex
    pieces: list[str] = []

    def note(value: object) -> str:
        pieces.append(value.text if isinstance(value, Unreadable) else str(value))
        return mark

    try:
        parts = json.dumps(row, default=note).split(f'"{mark}"')
    except (RecursionError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "".join(chain.from_iterable(zip(parts, [*pieces, ""], strict=True)))
