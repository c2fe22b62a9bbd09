"""What a row of `realtime.messages` is as a broadcast (REALTIME 2.4)."""

from __future__ import annotations

from dataclasses import dataclass

from parley.realtime.channel import Key
from parley.realtime.messages import PREFIX, UserMessage
from parley.realtime.pgoutput import Change, Row

SCHEMA, TABLE_PREFIX = "realtime", "messages"
REQUIRED = ("id", "topic", "event", "private", "inserted_at")


@dataclass(frozen=True, slots=True)
class DatabaseBroadcast:
    """A broadcast that a transaction made."""

    id: str
    key: Key
    message: UserMessage


def is_message_table(change: Change) -> bool:
    """Whether a change is in `realtime.messages`; rows come under their partition's name."""
    relation = change.relation
    return relation.schema == SCHEMA and relation.table.startswith(TABLE_PREFIX)


def broadcast_of(change: Change) -> DatabaseBroadcast | None:
    """Read an inserted row; None for one that is not broadcast, for want of a payload."""
    row = change.new
    if change.kind != "INSERT" or row is None:
        return None
    fields = {name: row.get(name) for name in REQUIRED}
    payload = _payload(row)
    if payload is None or not all(isinstance(value, str) for value in fields.values()):
        return None
    body, is_json = payload
    row_id, topic, event = str(fields["id"]), str(fields["topic"]), str(fields["event"])
    message = UserMessage(PREFIX + topic, event, body, is_json, {"id": row_id})
    return DatabaseBroadcast(row_id, (topic, fields["private"] == "t"), message)


def _payload(row: Row) -> tuple[bytes, bool] | None:
    payload, binary = row.get("payload"), row.get("binary_payload")
    if row.get("skip_broadcast") == "t":
        return None
    if isinstance(payload, str):
        return payload.encode(), True
    if isinstance(binary, str):
        return bytes.fromhex(binary.removeprefix("\\x")), False
    return None
