"""The kinds of rows in a step: where the local copy keeps each of them, and as what it is read.

Rows travel from the server into the file as they came. They become models when they are read:
checking all of them on the way in took twice as long as writing them, a number with a fraction or a
time would be printed in another way than the server does, and what only a newer package knows would
be lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from parley.models import (
    MarksRow,
    MessagesRow,
    NotificationsRow,
    PinsRow,
    ProfilesRow,
    ReactionsRow,
    ReceiptsRow,
    RoomMembersRow,
    RoomPreferencesRow,
    RoomsRow,
)
from parley.sync.faults import StoreUnusable
from parley.sync.steps import Row
from parley.wire import Row as Model

M = TypeVar("M", bound=BaseModel)

# Numbers with a fraction come as Decimal; no column of ours has one, only attachments may.
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=float).encode


def dumped(row: Row) -> str:
    """A row as it is kept."""
    return encode(row)


def as_model(model: type[M], row: str | Mapping[str, Any]) -> M:
    """Read a row, kept or as it came. Raises StoreUnusable when it is none of this model."""
    try:
        if isinstance(row, str):
            return model.model_validate_json(row)
        return model.model_validate(row)
    except ValidationError as error:
        fault = error.errors()[0]
        raise StoreUnusable(
            f"The local copy holds no {model.__name__}: {fault['loc']}: {fault['msg']}.",
            "Delete the file, or forget() it; everything is fetched again.",
        ) from error


def counts_as_unread(row: Row) -> bool:
    """Tell whether a message is one that somebody wrote and that stands."""
    return row["kind"] == "text" and row["deleted_at"] is None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rows: its table here, its key, its number, and columns of its own."""

    name: str
    model: type[Model]
    key: tuple[str, ...]
    number: str = "rev"
    about: str | None = None
    """The key column that names a message, if these rows are about one."""
    extra: Mapping[str, Callable[[Row], Any]] | None = None

    @property
    def upsert(self) -> str:
        """Write a row, unless a newer one is there: one statement for all kinds."""
        extra = tuple(self.extra or ())
        columns = (*self.key, "rev", "row", *extra)
        changed = ", ".join(f"{each} = excluded.{each}" for each in ("rev", "row", *extra))
        return (
            f"insert into {self.name} ({', '.join(columns)})"  # noqa: S608
            f" values ({', '.join('?' * len(columns))})"
            f" on conflict ({', '.join(self.key)}) do update set {changed}"
            f" where excluded.rev >= {self.name}.rev"
        )

    def values(self, row: Row) -> tuple[Any, ...]:
        """The values of ``upsert`` for one row."""
        key = (row["id"],) if self.name == "rooms" else tuple(row[each] for each in self.key)
        extra = tuple(value(row) for value in (self.extra or {}).values())
        return (*key, row[self.number], dumped(row), *extra)


ROOM_KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("rooms", RoomsRow, ("room_id",), number="changed_rev"),
        Kind("members", RoomMembersRow, ("room_id", "user_id")),
        Kind(
            "messages",
            MessagesRow,
            ("room_id", "seq"),
            about="seq",
            extra={
                "sender_id": lambda row: row["sender_id"],
                "client_id": lambda row: row["client_id"],
                "counts": counts_as_unread,
                "body": lambda row: row["body"] if row["kind"] == "text" else "",
            },
        ),
        Kind("reactions", ReactionsRow, ("room_id", "seq", "user_id", "emoji"), about="seq"),
        Kind("pins", PinsRow, ("room_id", "seq"), about="seq"),
        Kind(
            "receipts", ReceiptsRow, ("room_id", "user_id", "kind", "up_to_seq"), about="up_to_seq"
        ),
    )
}

USER_KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("memberships", RoomMembersRow, ("room_id",), number="user_rev"),
        Kind("marks", MarksRow, ("room_id",)),
        Kind("preferences", RoomPreferencesRow, ("room_id",)),
        Kind("notifications", NotificationsRow, ("seq",)),
    )
}

MODELS = {kind.model for kind in (*ROOM_KINDS.values(), *USER_KINDS.values())} | {ProfilesRow}


def shape() -> str:
    """A word for what the models need; rows that were kept for others may lack a column."""
    fields = {
        model.__name__: {name: str(field.annotation) for name, field in model.model_fields.items()}
        for model in MODELS
    }
    return sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
