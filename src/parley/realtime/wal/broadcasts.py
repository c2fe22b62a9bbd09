"""Turning a row that was inserted into `realtime.messages` into a broadcast."""

from __future__ import annotations

from dataclasses import dataclass

from parley.realtime.protocol.messages import PREFIX, TopicKey, UserMessage
from parley.realtime.wal.pgoutput import RowChange, WalRow

SCHEMA, TABLE_PREFIX = "realtime", "messages"
REQUIRED = ("id", "topic", "event", "private", "inserted_at")


@dataclass(frozen=True, slots=True)
class DatabaseBroadcast:
    """A broadcast that came from the database."""

    id: str
    key: TopicKey
    message: UserMessage


def is_message_table(change: RowChange) -> bool:
    """Whether a change is in `realtime.messages`. The WAL names the partition of a row."""
    relation = change.relation
    return relation.schema == SCHEMA and relation.table.startswith(TABLE_PREFIX)


def broadcast_of(change: RowChange) -> DatabaseBroadcast | None:
    """Read an inserted row. None if a required column or the payload is missing."""
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


def _payload(row: WalRow) -> tuple[bytes, bool] | None:
    payload, binary = row.get("payload"), row.get("binary_payload")
    if row.get("skip_broadcast") == "t":
        return None
    if isinstance(payload, str):
        return payload.encode(), True
    if isinstance(binary, str):
        return bytes.fromhex(binary.removeprefix("\\x")), False
    return None
