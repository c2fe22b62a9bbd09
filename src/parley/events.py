"""What travels as jsonb: realtime events, and the answers of sync.

The rows inside are those of ``parley.models``. ``step`` reads the payload of an event ``changed``
or ``epoch_changed``, whichever topic it came from.
"""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, Field, TypeAdapter

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
    blocks: tuple[BlocksRow, ...] = ()


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
    notifications_read_seq: int
    """Notifications up to this seq are read."""
    rows: UserRows | None = None
    epoch: int | None = None
    dropped_tenants: list[UUID] = Field(default_factory=list)
    """Tenants the person is no longer in."""


class Outgoing(Form):
    """One of the items that ``send_messages`` takes: the arguments of ``send_message``."""

    room_id: UUID
    client_id: UUID
    body: str
    reply_to: int | None = None
    mentions: list[UUID] = Field(default_factory=list)
    mention_all: bool = False
    attachments: list[Json] = Field(default_factory=list)
    metadata: dict[str, Json] | None = None


class Cursor(Form):
    """What a client has: a number per stream, None for a stream it has nothing of.

    ``window`` is how many of the newest messages come for a room it has nothing of, 1 to 200;
    ``limit`` is about how many rows come in one answer, 1 to 5,000. ``first`` names the first
    message it has of a room; the answer then counts what is not read before that. ``seen`` is that
    of the last answer: the profiles that changed since then come too.
    """

    timeline: str | None = None
    user: int | None = None
    rooms: dict[UUID, int | None] = Field(default_factory=dict)
    first: dict[UUID, int] = Field(default_factory=dict)
    seen: str | None = None
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
    older_unread: int | None = None
    """Where the cursor named the first message: how many before it are not read, up to 100."""
    older_mentions: int | None = None
    """How many of those mention the caller."""


class PulledUser(Row):
    """What is new in the caller's own stream, as ``PulledRoom``."""

    from_: int | None = Field(alias="from")
    to: int
    rows: UserRows
    dropped_rooms: list[UUID]
    """Rooms the caller is no longer in."""
    dropped_tenants: list[UUID] = Field(default_factory=list)
    """Tenants the caller is no longer in."""
    notifications_read_seq: int
    """Notifications up to this seq are read."""


class Changes(Row):
    """The answer of ``pull_changes``. ``user`` is None when the cursor is of another timeline."""

    timeline: str
    schema_version: int = Field(alias="schema")
    user: PulledUser | None
    rooms: list[PulledRoom]
    profiles: list[ProfilesRow]
    seen: str | None = None
    """What to ask with next time; None on another timeline."""
    more: bool


class Head(Row):
    """The newest number and the epoch of a stream."""

    rev: int
    epoch: int


class RoomHead(Head):
    """The head of a room the caller is in."""

    room_id: UUID


class Version(Row):
    """The answer of ``version``: which Parley the server has, and the oldest client it serves."""

    version: str
    lowest_client: str


class Heads(Version):
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


class Export(Row):
    """A page of ``export_my_data``: rows by section. ``next`` is the ``page`` of the next call."""

    user_id: UUID
    rows: dict[str, list[dict[str, Json]]]
    next: dict[str, Json] | None
    audit_head: str | None


class Certificate(Row):
    """What an erasure has done: how many rows went or were emptied, by table."""

    user_id: UUID
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None
    """None while maintenance is at it."""
    swept: dict[str, int]
    held: int
    """How many messages a legal hold keeps."""


STEP: TypeAdapter[RoomStep | UserStep] = TypeAdapter(RoomStep | UserStep)


def step(payload: object) -> RoomStep | UserStep:
    """Return the step in the payload of an event. Raises pydantic's ValidationError."""
    return STEP.validate_python(payload)
