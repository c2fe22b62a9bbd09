"""The kinds of rows in a step: where the local copy keeps each of them, and as what it is read.

Rows travel from the server into the file as they came. They become models when they are read:
checking all of them on the way in took twice as long as writing them, a number with a fraction or a
time would be printed in another way than the server does, and what only a newer package knows would
be lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from parley.models import (
    BlocksRow,
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
from parley.sync.errors import RowUnreadable
from parley.sync.queries import query
from parley.sync.rows import (
    Row,
    Rows,
    dumped,
    is_id,
    microseconds_of,
    refused,
    test_of,
    text_of,
)
from parley.sync.words import kept_words
from parley.wire import Row as Model
from parley.wire import first_fault

M = TypeVar("M", bound=BaseModel)


def as_model(model: type[M], row: str | Mapping[str, Any]) -> M:
    """Read a row, kept or as it came. Raises RowUnreadable when it is none of this model."""
    try:
        if isinstance(row, str):
            return model.model_validate_json(row)
        return model.model_validate(row)
    except (RecursionError, ValidationError) as error:
        raise RowUnreadable(
            f"This is no {model.__name__}: {first_fault(error)}.",
            "A newer Parley may know more; everything else can be read.",
        ) from error


def maybe_model(model: type[M], row: str | Mapping[str, Any] | None) -> M | None:
    """Read a row; None when there is none, or none that can be read."""
    try:
        return None if row is None else as_model(model, row)
    except RowUnreadable:
        return None


def counts_as_unread(row: Row) -> bool:
    """Tell whether a message is one that somebody wrote and that stands."""
    return row.get("kind") == "text" and row.get("deleted_at") is None


def body_of(row: Row) -> str:
    """Return what somebody wrote; nothing of a message of the system."""
    return text_of(row, "body") if row.get("kind") == "text" else ""


def whom_it_calls(row: Row) -> str | None:
    """Whom a message mentions, in one word to look in: all, or ids; None for nobody."""
    if row.get("mention_all") is True:
        return "all"
    mentions = row.get("mentions")
    return " ".join(filter(is_id, mentions)) or None if isinstance(mentions, list) else None


def calls(row: Row, user_id: str) -> bool:
    """Tell whether a message mentions somebody, by name or as everybody."""
    called = whom_it_calls(row)
    return called == "all" or (called is not None and user_id in called)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rows: its table here, its key, its number, and columns of its own."""

    name: str
    model: type[Model]
    key: tuple[str, ...]
    number: str = "rev"
    about: str | None = None
    """The key column that names a message, if these rows are about one."""
    needed: tuple[str, ...] = ()
    """Other columns that decide what is in the copy."""
    extra: Mapping[str, Callable[[Row], Any]] | None = None
    time: str | None = None
    """The column after which the ids of these rows are ordered, if they are."""

    @property
    def upsert(self) -> str:
        """Write a row, unless a newer one is there: one statement for all kinds."""
        extra = tuple(self.extra or ())
        columns = (*self.key, "rev", "row", *extra)
        values = [f"?{place}" for place in range(1, len(columns) + 1)]
        if self.time is not None:
            time = values[columns.index(self.time)]
            columns, values = (
                ("id", *columns),
                [query("message_id").replace(":time", time), *values],
            )
        changed = ", ".join(f"{each} = excluded.{each}" for each in ("rev", "row", *extra))
        return (
            f"insert into {self.name} ({', '.join(columns)})"  # noqa: S608
            f" values ({', '.join(values)})"
            f" on conflict ({', '.join(self.key)}) do update set {changed}"
            f" where excluded.rev >= {self.name}.rev"
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the key, as the rows call them."""
        return ("id",) if self.name == "rooms" else self.key

    def values(self, row: Row) -> tuple[Any, ...]:
        """The values of ``upsert`` for one row."""
        key = tuple(row[each] for each in self.columns)
        extra = tuple(value(row) for value in (self.extra or {}).values())
        return (*key, row[self.number], dumped(row), *extra)

    def check(self, rows: Sequence[Row], to: int, room_id: str | None = None) -> None:
        """Look at what the copy relies on: keys, the room, numbers up to ``to``.

        Raises AnswerRefused.
        """
        columns = dict.fromkeys((*self.columns, self.number, *self.needed))
        tests = [(column, test_of(column)) for column in columns]
        for row in rows:
            if not isinstance(row, Mapping):
                raise refused(f"there is a row of {self.name} that is no object")
            for column, is_right in tests:
                if column not in row or not is_right(row[column]):
                    raise refused(f"there is a row of {self.name} without a {column} that can be")
            if room_id is not None and row[self.columns[0]] != room_id:
                raise refused(f"there is a row of {self.name} that is of another room")
            if row[self.number] > to:
                raise refused(f"there is a row of {self.name} with a number beyond the answer's")


ROOM_KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "rooms",
            RoomsRow,
            ("room_id",),
            number="changed_rev",
            needed=("last_seq", "floor_seq"),
        ),
        Kind("members", RoomMembersRow, ("room_id", "user_id")),
        Kind(
            "messages",
            MessagesRow,
            ("room_id", "seq"),
            about="seq",
            extra={
                "sender_id": lambda row: text_of(row, "sender_id"),
                "client_id": lambda row: text_of(row, "client_id") or None,
                "counts": counts_as_unread,
                "body": body_of,
                "words": lambda row: kept_words(row["room_id"], body_of(row)),
                "mentions": whom_it_calls,
                "created_at": lambda row: microseconds_of(row, "created_at"),
            },
            time="created_at",
        ),
        Kind("reactions", ReactionsRow, ("room_id", "seq", "user_id", "emoji"), about="seq"),
        Kind("pins", PinsRow, ("room_id", "seq"), about="seq"),
        Kind(
            "receipts", ReceiptsRow, ("room_id", "user_id", "kind", "up_to_seq"), about="up_to_seq"
        ),
    )
}

MESSAGES = ROOM_KINDS["messages"]
OPAQUE_MESSAGES = replace(
    MESSAGES,
    extra={**(MESSAGES.extra or {}), "body": lambda row: "", "words": lambda row: ""},
)
"""Messages of an opaque room: a search does not look at ciphertext."""

USER_KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("memberships", RoomMembersRow, ("room_id",), number="user_rev", needed=("left_at",)),
        Kind("marks", MarksRow, ("room_id",)),
        Kind("preferences", RoomPreferencesRow, ("room_id",), needed=("cleared_seq",)),
        Kind("notifications", NotificationsRow, ("seq",)),
        Kind("blocks", BlocksRow, ("blocked_id",)),
    )
}


def check_rows(kinds: Mapping[str, Kind], rows: Any, to: int, room_id: str | None = None) -> Rows:
    """Return ``{kind: [rows]}`` if it is that. Raises AnswerRefused."""
    if not isinstance(rows, Mapping) or not all(isinstance(each, list) for each in rows.values()):
        raise refused("rows are no lists by kind")
    for name, kind in kinds.items():
        kind.check(rows.get(name, ()), to, room_id)
    return rows


MODELS = {kind.model for kind in (*ROOM_KINDS.values(), *USER_KINDS.values())} | {ProfilesRow}


def shape() -> str:
    """A word for what the models need; rows that were kept for others may lack a column."""
    # (A validator prints where it is in memory, which is another place in every process.)
    fields = {
        model.__name__: {
            name: re.sub(r" at 0x\w+", "", str(field.annotation))
            for name, field in model.model_fields.items()
        }
        for model in MODELS
    }
    return sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
