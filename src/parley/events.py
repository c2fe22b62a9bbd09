"""What travels as jsonb: realtime events, and the answers of sync.

The rows inside are those of ``parley.models``. ``step`` reads the payload of an event ``changed``
or ``epoch_changed``, whichever topic it came from.
"""

from __future__ import annotations

from uuid import UUID

from pydantic import Field, TypeAdapter

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
from parley.wire import Form, Json, Row


class RoomRows(Row):
    """Rows of a room's stream by kind; a kind without rows is empty."""

    rooms: tuple[RoomsRow, ...] = ()
    members: tuple[RoomMembersRow, ...] = ()
    messages: tuple[MessagesRow, ...] = ()
    reactions: tuple[ReactionsRow, ...] = ()
    pins: tuple[PinsRow, ...] = ()
    receipts: tuple[ReceiptsRow, ...] = ()


class UserRows(Row):
    """Rows of a person's own stream by kind; a kind without rows is empty."""

    memberships: tuple[RoomMembersRow, ...] = ()
    marks: tuple[MarksRow, ...] = ()
    preferences: tuple[RoomPreferencesRow, ...] = ()
    notifications: tuple[NotificationsRow, ...] = ()


class RoomStep(Row):
    """A step of a room: what the numbers above ``from_`` up to ``to`` changed.

    Without ``rows`` it only says that there is something to pull. With an ``epoch`` the topics of
    the room have moved on to that epoch.
    """

    id: UUID
    room_id: UUID
    from_: int = Field(alias="from")
    to: int
    rows: RoomRows | None = None
    epoch: int | None = None


class UserStep(Row):
    """A step of a person's own stream, as ``RoomStep``."""

    id: UUID
    user_id: UUID
    from_: int = Field(alias="from")
    to: int
    rows: UserRows | None = None
    epoch: int | None = None


class StatsInvalidated(Row):
    """Numbers of a tenant's dashboard have changed in these tables."""

    tenant_id: UUID
    tables: list[str]


class Outgoing(Form):
    """One of the items that ``send_messages`` takes: the arguments of ``send_message``."""

    room_id: UUID
    client_id: UUID
    body: str
    reply_to: int | None = None
    mentions: list[UUID] = Field(default_factory=list)
    mention_all: bool = False
    attachments: list[Json] = Field(default_factory=list)


class Cursor(Form):
    """What a client has: a number per stream, None for a stream it has nothing of.

    ``window`` is how many of the newest messages come for a room it has nothing of, 1 to 200;
    ``limit`` is about how many rows come in one answer, 1 to 5,000.
    """

    timeline: str | None = None
    user: int | None = None
    rooms: dict[UUID, int | None] = Field(default_factory=dict)
    window: int = 200
    limit: int = 1000


class PulledRoom(Row):
    """What is new in a room. Where ``from_`` is None, the rows replace what the client has."""

    room_id: UUID
    from_: int | None = Field(alias="from")
    to: int
    rows: RoomRows
    reset: bool
    """True when the client had something that is no beginning of this."""


class PulledUser(Row):
    """What is new in the caller's own stream, as ``PulledRoom``."""

    from_: int | None = Field(alias="from")
    to: int
    rows: UserRows
    dropped_rooms: list[UUID]
    """Rooms the caller is no longer in."""


class Changes(Row):
    """The answer of ``pull_changes``. ``user`` is None when the cursor is of another timeline."""

    timeline: str
    schema_version: int = Field(alias="schema")
    user: PulledUser | None
    rooms: list[PulledRoom]
    profiles: list[ProfilesRow]
    more: bool


class Head(Row):
    """The newest number and the epoch of a stream."""

    rev: int
    epoch: int


class RoomHead(Head):
    """The head of a room the caller is in."""

    room_id: UUID


class Heads(Row):
    """The answer of ``list_heads``: where every stream of the caller stands."""

    timeline: str
    user: Head
    rooms: list[RoomHead]


class Checksum(Row):
    """The answer of ``room_checksum``: a sum over (seq, rev) from ``from_seq`` on, at ``rev``."""

    room_id: UUID
    from_seq: int
    rev: int
    last_seq: int
    count: int
    sum: int


STEP: TypeAdapter[RoomStep | UserStep] = TypeAdapter(RoomStep | UserStep)


def step(payload: object) -> RoomStep | UserStep:
    """Return the step in the payload of an event. Raises pydantic's ValidationError."""
    return STEP.validate_python(payload)
