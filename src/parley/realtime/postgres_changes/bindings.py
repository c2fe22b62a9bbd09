"""Reading the entries under `postgres_changes` in a join: tables, events, filters, columns.

Pure functions. What is accepted, and the words of each refusal, are those of the hosted server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from parley.realtime.protocol.messages import Json
from parley.realtime.protocol.serializer import dumps

ANY = "*"
EVENTS = ("INSERT", "UPDATE", "DELETE")
OPERATORS = {
    "eq": "=",
    "neq": "<>",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
    "in": "= any",
    "like": "like",
    "ilike": "ilike",
    "is": "is",
    "match": "~",
    "imatch": "~*",
    "isdistinct": "is distinct from",
}
NEGATION = "not."
SECRETS = ("user_token", "auth_token")

Action: TypeAlias = Literal["*", "INSERT", "UPDATE", "DELETE"]

_GLOB = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})


class BindingError(ValueError):
    """The entry is invalid. The text is sent to the client in a ``system`` event."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a column. ``value`` is text; for ``in`` it is a Postgres array literal."""

    column: str
    operator: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Binding:
    """One entry: the events, the tables, the filters on rows, and the columns to show.

    ``schema`` and ``table`` are patterns of `like` without an escape character; ``*`` is any name.
    """

    id: int
    event: str
    schema: str
    table: str
    filters: tuple[Filter, ...]
    select: tuple[str, ...] | None

    @property
    def globs(self) -> tuple[str, str]:
        """Both patterns as the module `fnmatch` reads them."""
        return _glob(self.schema), _glob(self.table)

    def wants(self, event: str) -> bool:
        """Whether the entry asks for events of this kind."""
        return self.event in (ANY, event)

    def described(self) -> str:
        """The entry as the hosted server prints it in error messages."""
        filters = ", ".join(
            f"{{{inspected(each.column)}, {inspected(each.operator)}, {inspected(each.value)}, "
            f"{inspected(each.negated)}}}"
            for each in self.filters
        )
        select = None if self.select is None else list(self.select)
        return (
            f"[event: {self.event}, schema: {self.schema}, table: {self.table}, "
            f"filters: [{filters}], select: {inspected(select)}]"
        )


def read_binding(entry: dict[str, Json]) -> Binding:
    """Read one entry, to which the join has added an ``id``; raises ``BindingError``."""
    params = {name: value for name, value in entry.items() if name != "id"}
    select = _select(params.get("select"))
    schema, table, condition = _place(params)
    filters = _filters(condition)
    if select is not None and ANY in (schema, table):
        raise BindingError(
            "Column selection is not supported for wildcard subscriptions. "
            "Provide an explicit schema and table name."
        )
    return Binding(int(entry["id"]), _event(params.get("event")), schema, table, filters, select)


def inspected(value: Json) -> str:
    """Write a JSON value as Elixir prints it, for messages of the hosted server."""
    match value:
        case None:
            return "nil"
        case list():
            return f"[{', '.join(map(inspected, value))}]"
        case dict():
            pairs = (f"{inspected(name)} => {inspected(value[name])}" for name in sorted(value))
            return f"%{{{', '.join(pairs)}}}"
        case _:
            return dumps(value)


def _place(params: dict[str, Json]) -> tuple[str, str, str]:
    """Return schema, table and filter. Only these combinations of fields are accepted."""
    given = {name: params[name] for name in ("schema", "table", "filter") if name in params}
    if all(isinstance(value, str) for value in given.values()):
        match given:
            case {"schema": schema, "table": table}:
                return schema, table, given.get("filter", "")
            case {"schema": schema, **rest} if not rest:
                return schema, ANY, ""
            case {"table": table, **rest} if not rest:
                return "public", table, ""
    shown = "<redacted>" if any(name in params for name in SECRETS) else inspected(params)
    raise BindingError(
        "No subscription params provided. Please provide at least a `schema` or `table` "
        f"to subscribe to: {shown}"
    )


def _event(event: Json) -> str:
    """Return the event. Anything unknown counts as all events."""
    name = event.upper() if isinstance(event, str) else ANY
    return name if name in EVENTS else ANY


def _select(select: Json) -> tuple[str, ...] | None:
    """Return the columns to show, or None for all. What is no string is left out of a list."""
    if isinstance(select, str):
        raise BindingError(
            "Error parsing `select` params: expected a list of column name strings, "
            'e.g. select: ["col1", "col2"]'
        )
    names = [each for each in select if isinstance(each, str)] if isinstance(select, list) else []
    return tuple(names) or None


def _filters(text: str) -> tuple[Filter, ...]:
    """Read filters that are joined by commas. Blank text is no filter."""
    if not text.strip():
        return ()
    return tuple(_filter(part.strip()) for part in _split(text.strip()))


def _filter(text: str) -> Filter:
    if not text:
        raise _unreadable("filter must not contain empty segments (check for extra commas)")
    column, equals, condition = text.partition("=")
    if not equals:
        raise _unreadable(inspected([text]))
    negated = condition.startswith(NEGATION)
    condition = condition.removeprefix(NEGATION)
    operator, dot, value = condition.partition(".")
    if not dot:
        raise _unreadable(inspected([condition]))
    if operator not in OPERATORS:
        raise _unreadable(inspected([operator, value]))
    value = _array(value) if operator == "in" else _unquoted(value)
    return Filter(column, operator, value, negated)


def _array(value: str) -> str:
    """Turn ``(a,"b,c")`` into a Postgres array literal, which has the same rules inside."""
    if len(value) < 2 or value[0] != "(" or value[-1] != ")":
        raise _unreadable("`in` filter value must be wrapped by parentheses")
    return f"{{{value[1:-1]}}}"


def _unquoted(value: str) -> str:
    """Take the quotes off a quoted value, in which a backslash escapes what follows it."""
    if not value.startswith('"'):
        return value
    characters = iter(value[1:])
    found: list[str] = []
    for char in characters:
        if char == '"':
            return "".join(found) if next(characters, None) is None else value
        found.append(next(characters, "\\") if char == "\\" else char)
    return value


def _split(text: str) -> list[str]:
    """Split at commas that are not inside parentheses or quotes.

    A quote opens after a dot, a parenthesis or a comma in parentheses; elsewhere it is a character.
    """
    parts, depth, quoted, before = [""], 0, False, ""
    characters = iter(text)
    for char in characters:
        escaped = next(characters, "") if quoted and char == "\\" else ""
        if not quoted and depth == 0 and char == ",":
            parts.append("")
            before = ""
            continue
        if char == '"' and (quoted or before in (".", "(", ",")):
            quoted = not quoted
        elif not quoted:
            depth = max(0, depth + (char == "(") - (char == ")"))
        parts[-1] += char + escaped
        before = escaped or char
    return parts


def _unreadable(what: str) -> BindingError:
    return BindingError(f"Error parsing `filter` params: {what}")


def _glob(pattern: str) -> str:
    return ANY if pattern == ANY else pattern.translate(_GLOB)
