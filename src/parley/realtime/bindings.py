"""Reading what a channel wants to hear of tables: the entries under `postgres_changes`.

Pure. Of the real server's filter operators the comparisons and `in` are served; REALTIME 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from parley.realtime.messages import Json
from parley.realtime.serializer import dumps

ANY = "*"
EVENTS = ("INSERT", "UPDATE", "DELETE")
OPERATORS = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "in": "in"}
MOST_VALUES = 100

Action: TypeAlias = Literal["*", "INSERT", "UPDATE", "DELETE"]


class BindingError(ValueError):
    """An entry that cannot be served; the text goes into the ``system`` event."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a column. ``value`` is text, or for ``in`` an array literal of Postgres."""

    column: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Binding:
    """One entry: which rows of which tables, and which columns of them."""

    id: int
    event: str
    schema: str
    table: str
    filters: tuple[Filter, ...]
    select: tuple[str, ...] | None

    def wants(self, event: str) -> bool:
        """Whether an event of this kind is asked for."""
        return self.event in (ANY, event)

    def described(self) -> str:
        """The entry as the real server prints it in its messages."""
        filters = ", ".join(
            f'{{"{each.column}", "{each.operator}", "{each.value}"}}' for each in self.filters
        )
        select = "nil" if self.select is None else dumps(list(self.select))
        return (
            f"[event: {self.event}, schema: {self.schema}, table: {self.table}, "
            f"filters: [{filters}], select: {select}]"
        )


def read_binding(entry: dict[str, Json]) -> Binding:
    """Read one entry, which has its ``id`` already; raises ``BindingError``."""
    schema, table = entry.get("schema"), entry.get("table")
    if schema is None and table is None:
        raise BindingError(
            "No subscription params provided. Please provide at least a `schema` or `table` "
            f"to subscribe to: {dumps(entry)}"
        )
    event = str(entry.get("event") or ANY).upper()
    if event not in (ANY, *EVENTS):
        raise BindingError(f"Error parsing `event` params: {dumps(entry.get('event'))}")
    select = entry.get("select")
    if select is not None and not (
        isinstance(select, list) and all(isinstance(each, str) for each in select)
    ):
        raise BindingError(f"Error parsing `select` params: {dumps(select)}")
    if select is not None and ANY in (schema, table or ANY):
        raise BindingError("`select` needs one table, not a wildcard")
    return Binding(
        id=int(entry["id"]),
        event=event,
        schema=str(schema or "public"),
        table=str(table or ANY),
        filters=_filters(entry.get("filter")),
        select=None if select is None else tuple(select),
    )


def _filters(text: Json) -> tuple[Filter, ...]:
    if text is None or text == "":
        return ()
    if not isinstance(text, str):
        raise BindingError(f"Error parsing `filter` params: {dumps(text)}")
    return tuple(_filter(part) for part in _split(text))


def _filter(text: str) -> Filter:
    column, equals, rest = text.partition("=")
    operator, dot, value = rest.partition(".")
    if not (column and equals and dot) or operator not in OPERATORS or "->" in column:
        served = ", ".join(OPERATORS)
        raise BindingError(
            f"Error parsing `filter` params: {dumps([text])}. "
            f"A filter here is column=operator.value with one of {served}"
        )
    value = _array(text, value) if operator == "in" else _unquoted(value)
    return Filter(column.strip(), operator, value)


def _array(text: str, value: str) -> str:
    """Turn ``(a,"b,c")`` into an array literal of Postgres."""
    if not (value.startswith("(") and value.endswith(")")):
        raise BindingError(f"Error parsing `filter` params: {dumps([text])}")
    values = _split(value[1:-1])
    if len(values) > MOST_VALUES:
        raise BindingError(f"too many values for `in` filter. Maximum {MOST_VALUES}")
    plain = (_unquoted(each).replace("\\", "\\\\").replace('"', '\\"') for each in values)
    return "{" + ",".join(f'"{each}"' for each in plain) + "}"


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _split(text: str) -> list[str]:
    """Split at commas that are not inside parentheses or double quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for index, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif not quoted:
            depth += (char == "(") - (char == ")")
            if char == "," and depth == 0:
                parts.append(text[start:index])
                start = index + 1
    parts.append(text[start:])
    return parts
