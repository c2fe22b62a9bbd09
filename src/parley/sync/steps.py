"""What the server says: steps, pull answers and heads, read without trusting their form.

An answer whose envelope or keys make no sense is refused whole, with ``AnswerRefused``. What else
is in the rows stays as it came until somebody looks at it; ``kinds`` and ``rows`` say why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from parley import events
from parley.errors import AnswerRefused
from parley.sync.errors import ClientTooOld, ServerTooOld
from parley.sync.kinds import ROOM_KINDS, USER_KINDS, check_rows
from parley.sync.rows import BIGGEST, Row, Rows, is_id, is_number, is_text, refused
from parley.versions import LOWEST_SCHEMA, __version__, is_older


@dataclass(frozen=True, slots=True)
class Step:
    """Numbers ``begin + 1`` to ``to`` of one stream. ``room_id`` is None for the own stream.

    ``begin`` is None when the rows replace what was there; ``rows`` is None when they were left
    out and must be pulled. In the own stream, notifications up to ``notifications_read_seq`` are
    read.
    """

    room_id: str | None
    begin: int | None
    to: int
    rows: Rows | None
    dropped_rooms: tuple[str, ...] = ()
    dropped_tenants: tuple[UUID, ...] = ()
    notifications_read_seq: int | None = None
    tells_of_places: bool = False
    """Whether this account may have come into a tenant or left one."""
    older: tuple[int, int] | None = None
    """How many messages before those in the copy are not read, and how many mention us."""

    @classmethod
    def read(cls, value: Any) -> Step | None:
        """Read the payload of an event; None when it is not a step.

        Rows that make no sense are as good as none: what a pull answers counts.
        """
        if not isinstance(value, Mapping):
            return None
        begin, to = value.get("from"), value.get("to")
        is_of_room = "room_id" in value
        owner = value.get("room_id" if is_of_room else "user_id")
        if not is_id(owner) or not is_number(begin) or not is_number(to) or begin >= to:
            return None
        room_id = owner if is_of_room else None
        try:
            rows: Rows | None = read_rows(value.get("rows"), to, room_id)
            tenants = read_tenants(value.get("dropped_tenants", []))
            read_seq = read_mark(value.get("notifications_read_seq"))
        except AnswerRefused:
            return cls(room_id, begin, to, None)
        return cls(
            room_id,
            begin,
            to,
            rows,
            dropped_tenants=tenants,
            notifications_read_seq=read_seq,
            tells_of_places="dropped_tenants" in value,
        )

    @classmethod
    def of_room(cls, value: Any, *, is_last: bool) -> Step:
        """Read what a pull answers for a room. Raises AnswerRefused.

        ``is_last`` says that nothing comes after it.
        """
        room_id, begin, to = (member(value, each) for each in ("room_id", "from", "to"))
        is_reset = member(value, "reset")
        if not is_id(room_id) or type(is_reset) is not bool or not is_span(begin, to):
            raise refused("there is a room without an id or numbers that can be")
        # Where a message has more reactions than fit, a window ends at a number before those of the
        # room and its people, and the next answers bring the reactions.
        highest = to if is_last or begin is not None else BIGGEST
        rows = read_rows(member(value, "rows"), highest, room_id)
        return cls(room_id, None if is_reset else begin, to, rows, older=read_older(value))

    @classmethod
    def of_user(cls, value: Any) -> Step:
        """Read what a pull answers for the own stream. Raises AnswerRefused."""
        begin, to, dropped = (member(value, each) for each in ("from", "to", "dropped_rooms"))
        if not is_span(begin, to) or not isinstance(dropped, list) or not all(map(is_id, dropped)):
            raise refused("the own stream has no numbers or dropped rooms that can be")
        return cls(
            None,
            begin,
            to,
            read_rows(member(value, "rows"), to, None),
            tuple(dropped),
            read_tenants(value.get("dropped_tenants", [])),
            read_mark(value.get("notifications_read_seq")),
            tells_of_places="dropped_tenants" in value,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of ``pull_changes``. ``user`` is None on another timeline."""

    timeline: str
    user: Step | None
    rooms: tuple[Step, ...]
    profiles: Sequence[Row]
    more: bool
    seen: str | None = None

    @classmethod
    def read(cls, value: Any) -> Answer:
        """Read an answer. Raises AnswerRefused when its envelope or a key makes no sense."""
        timeline, user, more = (member(value, each) for each in ("timeline", "user", "more"))
        rooms = members(member(value, "rooms"), "rooms")
        seen = value.get("seen")
        if seen is not None and not is_text(seen):
            raise refused("its snapshot is no text")
        if not is_text(timeline) or type(more) is not bool:
            raise refused("it has no timeline, or does not say whether there is more")
        steps = tuple(Step.of_room(each, is_last=not more) for each in rooms)
        if len({each.room_id for each in steps}) < len(steps):
            raise refused("a room is in it twice")
        return cls(
            timeline=timeline,
            user=None if user is None else Step.of_user(user),
            rooms=steps,
            profiles=read_profiles(member(value, "profiles")),
            more=more,
            seen=seen,
        )


@dataclass(frozen=True, slots=True)
class HeadsByRoom:
    """An answer of ``list_heads``, by room."""

    timeline: str
    user: events.Head
    rooms: Mapping[str, events.Head]

    def reach(self, least: Mapping[str | None, int]) -> bool:
        """Tell whether no head is below a number that is known of its stream."""
        return self.user.rev >= least.get(None, 0) and all(
            head.rev >= least.get(room_id, 0) for room_id, head in self.rooms.items()
        )

    @classmethod
    def of(cls, answer: events.Heads) -> HeadsByRoom:
        """Look an answer up by room. Raises AnswerRefused, ClientTooOld, ServerTooOld."""
        rooms = {str(head.room_id): head for head in answer.rooms}
        check_versions(answer)
        heads = (answer.user, *answer.rooms)
        if not all(is_number(each.rev) and is_number(each.epoch) for each in heads):
            raise refused("there is a head without numbers that can be")
        if len(rooms) < len(answer.rooms) or not is_text(answer.timeline):
            raise refused("a room is in the heads twice, or there is no timeline")
        return cls(answer.timeline, answer.user, rooms)


def check_versions(server: events.Version) -> None:
    """Raise ClientTooOld or ServerTooOld where this client and the server do not fit together."""
    if is_older(__version__, server.lowest_client):
        raise ClientTooOld(
            f"This app has Parley {__version__}, and the server works with "
            f"{server.lowest_client} and newer.",
            "Update the app. What is on this device stays, and what was not sent yet is sent then.",
        )
    if is_older(server.version, LOWEST_SCHEMA):
        raise ServerTooOld(
            f"The server has Parley {server.version}, and this app needs {LOWEST_SCHEMA} or newer.",
            "Run 'parley upgrade' in the project and push its migration, or use the app's version "
            "from before. What is on this device stays.",
        )


def is_span(begin: Any, to: Any) -> bool:
    """Tell whether an answer can lead from one number, or from nothing, to another."""
    return is_number(to) and (begin is None or (is_number(begin) and begin <= to))


def read_older(value: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return what is not read before the copy; None when it is not told. Raises AnswerRefused."""
    unread, mentions = value.get("older_unread"), value.get("older_mentions")
    if unread is None and mentions is None:
        return None
    if not is_number(unread) or not is_number(mentions):
        raise refused("what is not read before the copy is no number")
    return unread, mentions


def read_tenants(value: Any) -> tuple[UUID, ...]:
    """Return the ids of tenants. Raises AnswerRefused."""
    if not all(map(is_id, members(value, "dropped_tenants"))):
        raise refused("there is a dropped tenant without an id that can be")
    return tuple(UUID(each) for each in value)


def read_mark(value: Any) -> int | None:
    """Return up to where notifications are read; None when it is not told. Raises AnswerRefused."""
    if value is not None and not is_number(value):
        raise refused("the mark of notifications is no number")
    return value


def member(value: Any, name: str) -> Any:
    """Return what an object holds under a name. Raises AnswerRefused when there is nothing."""
    if not isinstance(value, Mapping) or name not in value:
        raise refused(f"{name} is missing")
    return value[name]


def members(value: Any, name: str) -> list[Any]:
    """Return a list. Raises AnswerRefused when it is none."""
    if not isinstance(value, list):
        raise refused(f"{name} are no list")
    return value


def read_rows(value: Any, to: int, room_id: str | None) -> Rows:
    """Return ``{kind: [rows]}`` of a room, or of the own stream. Raises AnswerRefused."""
    return check_rows(USER_KINDS if room_id is None else ROOM_KINDS, value, to, room_id)


def read_profiles(value: Any) -> Sequence[Row]:
    """Return profiles. Raises AnswerRefused."""
    profiles = members(value, "profiles")
    for each in profiles:
        if not is_id(member(each, "user_id")):
            raise refused("there is a profile of nobody")
    return profiles
