"""Values in requests and answers: the base of generated models, and types that keep JSON exact.

What Postgres prints as JSON becomes the Python value that means the same, and back: uuid,
timestamptz (with its zone, to the microsecond), numeric (every digit), bytea (``\\x`` and hex).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    ValidationError,
)
from pydantic_core import to_jsonable_python


class LeftOut:
    """The type of ``LEFT_OUT``, which stands for "the database has a default for it"."""

    def __repr__(self) -> str:
        return "LEFT_OUT"


LEFT_OUT: Any = LeftOut()
"""Default of arguments and fields that the database fills in when they are not sent."""


class Row(BaseModel):
    """A row as it was read. Columns that a newer database adds are ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
        ser_json_inf_nan="strings",
    )


class Form(BaseModel):
    """Columns to be written. Columns that were not given are not sent."""

    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
        ser_json_inf_nan="strings",
    )

    def to_json(self) -> dict[str, JsonValue]:
        """Return the columns that were given, as JSON under their names in the database."""
        return self.model_dump(mode="json", exclude_unset=True)


def read_bytea(value: object) -> object:
    """Return the bytes of Postgres' hex form; anything else as it is."""
    if isinstance(value, str) and value.startswith("\\x"):
        return bytes.fromhex(value[2:])
    return value


def print_bytea(value: bytes) -> str:
    """Return bytes in Postgres' hex form."""
    return f"\\x{value.hex()}"


def read_json(value: object) -> object:
    """Return decoded JSON with floats for the decimals that ``parse`` keeps for numeric."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: read_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [read_json(entry) for entry in value]
    return value


Jsonable: TypeAlias = (
    bool
    | int
    | float
    | str
    | Decimal
    | UUID
    | dt.datetime
    | dt.date
    | BaseModel
    | Sequence["Jsonable"]
    | Mapping[str, "Jsonable"]
    | None
)
"""The values that may be given for json or jsonb."""

Json = Annotated[JsonValue, BeforeValidator(read_json)]
"""Any JSON: the type of json and jsonb."""

Bytea = Annotated[
    bytes, BeforeValidator(read_bytea), PlainSerializer(print_bytea, when_used="json")
]
"""Bytes that travel as ``\\x`` and hex."""

Numeric = Annotated[Decimal, Field(allow_inf_nan=True)]
"""A decimal number with all of its digits."""


DEEPEST = 100
"""How deep an answer may be nested: more than our functions take, less than pydantic reads."""
LONGEST_NUMBER = 4300
"""How many characters a number may have: what Python converts."""
PIECE = re.compile(
    r"""
    "[^"\\]*+(?:\\.[^"\\]*+)*+"  # text, so that nothing inside it is taken for something else
    | [\[{] | [\]}]
    | NaN | -?Infinity
    | [-+.0-9eE]{4301,}  # longer than LONGEST_NUMBER
    """,
    re.DOTALL | re.VERBOSE,
)


class Unreadable:
    """Stands in decoded JSON for a piece that no reader takes; ``text`` is how it came."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def parse(text: str | bytes) -> Any:
    """Decode JSON without rounding: a number with a point or an exponent becomes a Decimal.

    A piece that is nested too deep, or a number that is too long or none at all, is ``Unreadable``
    and spoils nothing around it. Raises ValueError when the text is no JSON.
    """
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=float)
        if is_plain(value):
            return value
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except (ArithmeticError, RecursionError, ValueError):
        pass
    return parse_around(text if isinstance(text, str) else text.decode())


def is_plain(value: object) -> bool:
    """Tell whether decoded JSON is nothing that has to be parsed around."""
    parts: list[Any] = [value]
    for _ in range(DEEPEST + 1):
        if float in map(type, parts):
            # All numbers with a point are Decimals: this one is NaN or infinite.
            return False
        level = [part for part in parts if type(part) in (dict, list)]
        if not level:
            return True
        parts = [part for each in level for part in (each.values() if type(each) is dict else each)]
    return False


def parse_around(text: str) -> Any:
    """Decode JSON, with ``Unreadable`` in place of what cannot be decoded."""
    kept: list[str] = []
    cut: list[str] = []
    end = 0
    for first, last in unreadable_spans(text):
        kept.append(text[end:first])
        cut.append(text[first:last])
        end = last
    kept.append(text[end:])
    pieces = iter(cut)
    return json.loads(
        "NaN".join(kept),
        parse_float=read_decimal,
        parse_constant=lambda _: Unreadable(next(pieces)),
    )


def unreadable_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where pieces begin and end that are nested too deep, or are no numbers for us."""
    depth = begin = 0
    for match in PIECE.finditer(text):
        sign = match[0][0]
        if sign in "[{":
            depth += 1
            if depth == DEEPEST + 1:
                begin = match.start()
        elif sign in "]}":
            if depth == DEEPEST + 1:
                yield begin, match.end()
            depth -= 1
        elif sign != '"' and depth <= DEEPEST:
            yield match.span()
    if depth > DEEPEST:
        yield begin, len(text)


def read_decimal(text: str) -> Decimal | Unreadable:
    """Return a number with a point or an exponent, unless that is beyond all bounds."""
    try:
        return Decimal(text)
    except ArithmeticError:
        return Unreadable(text)


def first_fault(error: Exception) -> str:
    """Say where and why a value is not what a model wants, without the value."""
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
    return str(error)


def print_interval(value: dt.timedelta) -> str:
    """Return an interval as Postgres reads it."""
    return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"


def encode(value: object) -> Any:
    """Return an argument as JSON. Fields and entries that were left out are not in it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, Mapping):
        return {key: encode(entry) for key, entry in value.items() if entry is not LEFT_OUT}
    if isinstance(value, bytes):
        return print_bytea(value)
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return [encode(entry) for entry in value]
    if isinstance(value, dt.timedelta):
        return print_interval(value)
    return to_jsonable_python(value)
