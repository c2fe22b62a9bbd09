"""What an app shows: rows of the copy with what was done here laid over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, Field

from parley.models import (
    MessagesKind,
    MessagesRow,
    NotificationsRow,
    RoomPreferencesRow,
    RoomsRow,
)
from parley.sync.rows import is_id
from parley.wire import Json, Row

MessageState: TypeAlias = Literal["pending", "sent", "delivered", "read", "failed", "discarded"]


NOBODY = UUID(int=0)
"""The sender of a message of which not even that can be read."""


class Message(Row):
    """A message as it should be shown: the columns of ``messages``, edits and all.

    What only the server gives is None in an own message that it has not numbered yet. Others'
    messages are sent. ``reason`` is the slug of a refusal, ``item_id`` the action in the outbox to
    retry or dismiss.
    """

    room_id: UUID
    seq: int | None = None
    """The place in the room."""
    id: UUID | None = None
    sender_id: UUID
    sender_label: str | None = None
    client_id: UUID | None
    """What the sender's device calls it."""
    kind: MessagesKind = "text"
    body: str
    reply_to: int | None = None
    thread_root: int | None = None
    mentions: list[UUID] = Field(default_factory=list)
    mention_all: bool = False
    attachments: Json = Field(default_factory=list)
    metadata: Json = Field(default_factory=dict)
    edited_at: AwareDatetime | None = None
    deleted_at: AwareDatetime | None = None
    created_at: AwareDatetime
    """The server's clock; until it is sent, the clock of this device."""
    rev: int | None = None
    state: MessageState = "sent"
    reason: str = ""
    item_id: int | None = None
    reactions: dict[str, tuple[UUID, ...]] = Field(default_factory=dict)
    """Who stands by which emoji."""
    is_pinned: bool = False
    is_folded: bool = False
    """It is in a group, and this account has blocked its sender: show a line that unfolds it."""
    is_unreadable: bool = False
    """Somebody sent something that this version cannot read: there is a place and no content."""

    @classmethod
    def unreadable(
        cls, room_id: str, seq: int, rev: int, sender_id: str, created_at: datetime
    ) -> Message:
        """What can be shown of a row that cannot be read. A sender that is none is NOBODY."""
        return cls(
            room_id=UUID(room_id),
            seq=seq,
            sender_id=UUID(sender_id) if is_id(sender_id) else NOBODY,
            client_id=None,
            body="",
            created_at=created_at,
            rev=rev,
            is_unreadable=True,
        )

    @classmethod
    def of(cls, row: MessagesRow) -> Message:
        """A row as a message that nothing is known of besides."""
        return cls.model_validate(row.model_dump())


class Notification(NotificationsRow):
    """A notification as it should be shown: the columns of ``notifications``."""

    is_read: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """A room of the start screen. ``row`` is None until it is fetched.

    ``unread`` and ``mentions`` count to 100, also what is older than the copy, since we came in.
    ``active_at`` is the time of the newest message, as text; '' when there is none. Where a row or
    preferences came that this version cannot read, they are None and ``is_unreadable`` is true.
    """

    id: UUID
    row: RoomsRow | None
    last_message: Message | None
    unread: int
    mentions: int
    preferences: RoomPreferencesRow | None
    active_at: str
    is_unreadable: bool = False
    marked_unread: bool = False
    """This person wants to come back to it, and has not read it up to its end since."""

    @property
    def name(self) -> str | None:
        """The name of a group; None for a direct room."""
        return None if self.row is None else self.row.name


Reactions: TypeAlias = Mapping[int, dict[str, tuple[UUID, ...]]]
"""By seq and emoji, who reacted."""
