"""Values as they travel: the base of generated models, and types that keep JSON exact.

What Postgres prints as JSON becomes the Python value that means the same, and back: uuid,
timestamptz (with its zone, to the microsecond), numeric (every digit), bytea (``\\x`` and hex).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PlainSerializer
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
    """Columns to be written. What was not given is not sent."""

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
"""What may be given where json or jsonb is taken."""

Json = Annotated[JsonValue, BeforeValidator(read_json)]
"""Any JSON: the type of json and jsonb."""

Bytea = Annotated[
    bytes, BeforeValidator(read_bytea), PlainSerializer(print_bytea, when_used="json")
]
"""Bytes that travel as ``\\x`` and hex."""

Numeric = Annotated[Decimal, Field(allow_inf_nan=True)]
"""A decimal number with all of its digits."""


def parse(text: str | bytes) -> Any:
    """Decode JSON without rounding: a number with a point or an exponent becomes a Decimal."""
    return json.loads(text, parse_float=Decimal)


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
