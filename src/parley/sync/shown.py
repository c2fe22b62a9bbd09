"""What an app shows: rows of the copy with what was done here laid over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, Field

from parley.models import MessagesKind, MessagesRow, RoomPreferencesRow, RoomsRow
from parley.wire import Json, Row

MessageState: TypeAlias = Literal["pending", "sent", "delivered", "read", "failed", "discarded"]


class Message(Row):
    """A message as it should be shown: the columns of ``messages``, edits and all.

    What only the server gives is None in an own message that it has not numbered yet. Others'
    messages are sent. ``reason`` is the slug of a refusal, ``item_id`` the deed in the outbox to
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

    @classmethod
    def of(cls, row: MessagesRow) -> Message:
        """A row as a message that nothing is known of besides."""
        return cls.model_validate(row.model_dump())


@dataclass(frozen=True, slots=True)
class Room:
    """A room of the start screen. ``row`` is None until it is fetched. ``unread`` counts to 100.

    ``active_at`` is the time of the newest message, as text; '' when there is none.
    """

    id: UUID
    row: RoomsRow | None
    last_message: Message | None
    unread: int
    preferences: RoomPreferencesRow | None
    active_at: str

    @property
    def name(self) -> str | None:
        """The name of a group; None for a direct room."""
        return None if self.row is None else self.row.name


Reactions: TypeAlias = Mapping[int, dict[str, tuple[UUID, ...]]]
"""By seq and emoji, who reacted."""
