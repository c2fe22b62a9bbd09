"""Deciding what each subscriber may see of a changed row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from parley.realtime.authorization.rights import Caller
from parley.realtime.channel.channel import Channel
from parley.realtime.database.pool import Connection
from parley.realtime.postgres_changes.bindings import Binding, Filter
from parley.realtime.postgres_changes.rows import (
    Table,
    Values,
    ValuesQuery,
    table_facts,
    values_of,
    visible,
)
from parley.realtime.protocol.messages import Json
from parley.realtime.protocol.serializer import dumps
from parley.realtime.wal.pgoutput import RowChange

RECORD_LIMIT = 1024 * 1024
"""Rows above this size are sent without the values that are larger than ``VALUE_LIMIT`` bytes."""
VALUE_LIMIT = 64

NO_KEY = "Error 400: Bad Request, no primary key"
NOT_ALLOWED = "Error 401: Unauthorized"
TOO_LARGE = "Error 413: Payload Too Large"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A channel and one entry of its `postgres_changes`."""

    channel: Channel
    binding: Binding
    caller: Caller
    """The person whose policies decide which rows are shown."""
    claims: str
    """The caller's claims as JSON. Callers with equal claims see the same rows."""

    @property
    def role(self) -> str:
        """The caller's role."""
        return self.caller.claims.role


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The part of a message about a change that differs between subscribers."""

    data: dict[str, Json]


@dataclass(slots=True)
class Delivery:
    """A change, its subscribers, and what the database said about it."""

    change: RowChange
    subscriptions: list[Subscription]
    table: Table | None = None
    values: Values | None = None
    passed: set[tuple[Filter, ...]] = field(default_factory=set)
    """The lists of filters that the row passes."""
    hidden: set[str] = field(default_factory=set)
    """The claims (as JSON) of callers whose policies hide the row."""

    @property
    def filters(self) -> list[tuple[Filter, ...]]:
        """The different lists of filters among the subscriptions."""
        return list(dict.fromkeys(each.binding.filters for each in self.subscriptions))

    @property
    def key(self) -> dict[str, Json]:
        """The new row's primary key."""
        if self.table is None or self.values is None:
            return {}
        return {name: self.values.record.get(name) for name in self.table.key}

    def asks_policies(self, subscription: Subscription) -> bool:
        """Whether this subscriber gets the row only if policies allow it."""
        return (
            self.table is not None
            and self.values is not None
            and self.change.kind != "DELETE"
            and self.table.has_policies
            and _refusal(self.table, subscription.role) is None
            and subscription.binding.filters in self.passed
        )

    def views(self) -> Iterator[tuple[Subscription, View]]:
        """The subscriptions that get the change, each with what it may see."""
        views: dict[tuple[str, tuple[str, ...] | None], View] = {}
        if self.table is None or self.values is None:
            return
        for subscription in self.subscriptions:
            refused = (
                None if self.change.kind == "DELETE" else _refusal(self.table, subscription.role)
            )
            if refused is None and (
                subscription.binding.filters not in self.passed
                or subscription.claims in self.hidden
            ):
                continue
            group = subscription.role, subscription.binding.select
            if group not in views:
                view = {"columns": [], "record": {}, "errors": [refused]}
                if refused is None:
                    view = _view(self.change, self.table, self.values, *group)
                views[group] = View(view)
            yield subscription, views[group]


async def inspect(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    """Ask the database for all that ``Delivery.views`` needs, for several changes at once."""
    tables: dict[int, Table | None] = {}
    roles = sorted(
        {subscription.role for delivery in deliveries for subscription in delivery.subscriptions}
    )
    for delivery in deliveries:
        relation = delivery.change.relation
        if relation.oid not in tables:
            tables[relation.oid] = await table_facts(connection, relation, roles)
        delivery.table = tables[relation.oid]
    asked = [(delivery, delivery.table) for delivery in deliveries if delivery.table is not None]
    queries = [ValuesQuery(delivery.change, table, delivery.filters) for delivery, table in asked]
    for (delivery, _), values in zip(asked, await values_of(connection, queries), strict=True):
        delivery.values = values
        if values is not None:
            passed = zip(delivery.filters, values.passed, strict=True)
            delivery.passed = {filters for filters, has_passed in passed if has_passed}
    await _ask_policies(connection, deliveries)


async def _ask_policies(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    callers: dict[str, Caller] = {}
    wanted: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        for claims, subscription in {each.claims: each for each in delivery.subscriptions}.items():
            if any(
                delivery.asks_policies(each)
                for each in delivery.subscriptions
                if each.claims == claims
            ):
                callers[claims] = subscription.caller
                wanted.setdefault(claims, []).append(delivery)
    for claims, asking in wanted.items():
        keys = [(delivery.change.relation, delivery.key) for delivery in asking]
        for delivery, is_seen in zip(
            asking, await visible(connection, callers[claims], keys), strict=True
        ):
            if not is_seen:
                delivery.hidden.add(claims)


def _refusal(table: Table, role: str) -> str | None:
    """The error a role gets instead of the row, or None: it must be able to read the key."""
    if not table.key:
        return NO_KEY
    if not all(role in each.readers for each in table.columns if each.is_key):
        return NOT_ALLOWED
    return None


def _view(
    change: RowChange, table: Table, values: Values, role: str, select: tuple[str, ...] | None
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


def _size(change: RowChange) -> int:
    rows = (row for row in (change.new, change.old) if row is not None)
    return sum(len(value) for row in rows for value in row.values() if isinstance(value, str))


def _cut(record: dict[str, Json], is_large: bool) -> dict[str, Json]:
    if not is_large:
        return record
    return {
        name: value for name, value in record.items() if len(dumps(value).encode()) <= VALUE_LIMIT
    }
