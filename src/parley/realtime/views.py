"""What each watcher gets to see of a changed row: the decisions of `postgres_changes`."""

from __future__ import annotations

from dataclasses import dataclass

from parley.realtime.authorize import Caller
from parley.realtime.bindings import Binding
from parley.realtime.channel import Channel
from parley.realtime.database import Connection
from parley.realtime.messages import Json
from parley.realtime.pgoutput import Change
from parley.realtime.rows import Table, Values, is_visible, table_facts, values_of
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

    @property
    def caller(self) -> Caller:
        """On whose behalf rows are looked at."""
        return self.channel.caller


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What some of the watchers get to see of a change, beside what all of them do."""

    data: dict[str, Json]


async def looked_at(
    connection: Connection, change: Change, watches: list[Watch]
) -> list[tuple[Watch, View]]:
    """Decide for each watcher whether it sees the change, and what of it."""
    roles = sorted({each.caller.claims.role for each in watches})
    table = await table_facts(connection, change.relation, roles)
    if table is None:
        return []
    filters = list(dict.fromkeys(each.binding.filters for each in watches))
    values = await values_of(connection, change, table.key, filters)
    passed = {each for each, has_passed in zip(filters, values.passed, strict=True) if has_passed}
    views: dict[tuple[str, tuple[str, ...] | None], View] = {}
    visible: dict[str, bool] = {}
    seen = []
    for watch in watches:
        caller = watch.caller
        role, select = caller.claims.role, watch.binding.select
        refused = None if change.kind == "DELETE" else _refusal(table, role)
        if refused is None and watch.binding.filters not in passed:
            continue
        if refused is None and table.has_policies and change.kind != "DELETE":
            claims = dumps(dict(caller.claims.values))
            if claims not in visible:
                key = {name: values.record[name] for name in table.key}
                visible[claims] = await is_visible(connection, change.relation, caller, key)
            if not visible[claims]:
                continue
        if (role, select) not in views:
            view = {"columns": [], "record": {}, "errors": [refused]}
            if refused is None:
                view = _view(change, table, values, role, select)
            views[role, select] = View(view)
        seen.append((watch, views[role, select]))
    return seen


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
