"""What each watcher gets to see of a changed row: the decisions of `postgres_changes`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from parley.realtime.authorize import Caller
from parley.realtime.bindings import Binding, Filter
from parley.realtime.channel import Channel
from parley.realtime.database import Connection
from parley.realtime.messages import Json
from parley.realtime.pgoutput import Change
from parley.realtime.rows import Question, Table, Values, table_facts, values_of, visible
from parley.realtime.serializer import dumps

RECORD_LIMIT = 1024 * 1024
"""A larger row loses its values above ``VALUE_LIMIT`` bytes."""
VALUE_LIMIT = 64

NO_KEY = "Error 400: Bad Request, no primary key"
NOT_ALLOWED = "Error 401: Unauthorized"
TOO_LARGE = "Error 413: Payload Too Large"


@dataclass(frozen=True, slots=True)
class Watch:
    """A channel and one entry of what it wants to hear."""

    channel: Channel
    binding: Binding

    caller: Caller
    """On whose behalf rows are looked at."""
    claims: str
    """The caller's claims as JSON: who has the same sees the same."""

    @property
    def role(self) -> str:
        """The caller's role."""
        return self.caller.claims.role


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What some of the watchers get to see of a change, beside what all of them do."""

    data: dict[str, Json]


@dataclass(slots=True)
class Look:
    """A change that some watch, and what was found out about it."""

    change: Change
    watches: list[Watch]
    table: Table | None = None
    values: Values | None = None
    passed: set[tuple[Filter, ...]] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    """The claims (as JSON) whose policies do not let the row through."""

    @property
    def filters(self) -> list[tuple[Filter, ...]]:
        """The different filter lists of those who watch."""
        return list(dict.fromkeys(each.binding.filters for each in self.watches))

    @property
    def key(self) -> dict[str, Json]:
        """The new row's primary key."""
        if self.table is None or self.values is None:
            return {}
        return {name: self.values.record.get(name) for name in self.table.key}

    def asks_policies(self, watch: Watch) -> bool:
        """Whether this watcher's policies decide about the row."""
        return (
            self.table is not None
            and self.values is not None
            and self.change.kind != "DELETE"
            and self.table.has_policies
            and _refusal(self.table, watch.role) is None
            and watch.binding.filters in self.passed
        )

    def views(self) -> Iterator[tuple[Watch, View]]:
        """Who sees the change, and what of it."""
        views: dict[tuple[str, tuple[str, ...] | None], View] = {}
        if self.table is None or self.values is None:
            return
        for watch in self.watches:
            refused = None if self.change.kind == "DELETE" else _refusal(self.table, watch.role)
            if refused is None and (
                watch.binding.filters not in self.passed or watch.claims in self.hidden
            ):
                continue
            group = watch.role, watch.binding.select
            if group not in views:
                view = {"columns": [], "record": {}, "errors": [refused]}
                if refused is None:
                    view = _view(self.change, self.table, self.values, *group)
                views[group] = View(view)
            yield watch, views[group]


async def look_at(connection: Connection, looks: Sequence[Look]) -> None:
    """Find out what is needed to decide who sees what of several changes."""
    tables: dict[int, Table | None] = {}
    roles = sorted({watch.role for look in looks for watch in look.watches})
    for look in looks:
        relation = look.change.relation
        if relation.oid not in tables:
            tables[relation.oid] = await table_facts(connection, relation, roles)
        look.table = tables[relation.oid]
    asked = [(look, look.table) for look in looks if look.table is not None]
    questions = [Question(look.change, table.key, look.filters) for look, table in asked]
    for (look, _), values in zip(asked, await values_of(connection, questions), strict=True):
        look.values = values
        if values is not None:
            passed = zip(look.filters, values.passed, strict=True)
            look.passed = {filters for filters, has_passed in passed if has_passed}
    await _ask_policies(connection, looks)


async def _ask_policies(connection: Connection, looks: Sequence[Look]) -> None:
    callers: dict[str, Caller] = {}
    wanted: dict[str, list[Look]] = {}
    for look in looks:
        for claims, watch in {each.claims: each for each in look.watches}.items():
            if any(look.asks_policies(each) for each in look.watches if each.claims == claims):
                callers[claims] = watch.caller
                wanted.setdefault(claims, []).append(look)
    for claims, asking in wanted.items():
        keys = [(look.change.relation, look.key) for look in asking]
        for look, is_seen in zip(
            asking, await visible(connection, callers[claims], keys), strict=True
        ):
            if not is_seen:
                look.hidden.add(claims)


def _refusal(table: Table, role: str) -> str | None:
    """Why a role is shown nothing of a table but that something happened."""
    if not table.key:
        return NO_KEY
    if not all(role in each.readers for each in table.columns if each.is_key):
        return NOT_ALLOWED
    return None


def _view(
    change: Change, table: Table, values: Values, role: str, select: tuple[str, ...] | None
) -> dict[str, Json]:
    shown = [
        each
        for each in table.columns
        if role in each.readers and (select is None or each.is_key or each.name in select)
    ]
    names = {each.name for each in shown}
    is_large = _size(change) > RECORD_LIMIT
    view: dict[str, Json] = {
        "columns": [{"name": each.name, "type": each.type} for each in shown],
        "errors": [TOO_LARGE] if is_large else None,
    }
    if change.kind != "DELETE":
        record = values.old_record | values.record
        view["record"] = _cut({name: record[name] for name in record if name in names}, is_large)
    if change.kind != "INSERT":
        kept = names
        if change.kind == "DELETE" and table.has_policies:
            kept = names & set(table.key)
        old = values.old_record
        view["old_record"] = _cut({name: old[name] for name in old if name in kept}, is_large)
    return view


def _size(change: Change) -> int:
    rows = (row for row in (change.new, change.old) if row is not None)
    return sum(len(value) for row in rows for value in row.values() if isinstance(value, str))


def _cut(record: dict[str, Json], is_large: bool) -> dict[str, Json]:
    if not is_large:
        return record
    return {
        name: value for name, value in record.items() if len(dumps(value).encode()) <= VALUE_LIMIT
    }
