"""What the server says: steps, pull answers and heads, read without trusting their form.

Rows stay as they came until somebody looks at them; ``kinds`` says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from parley import events

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Step:
    """Numbers ``begin + 1`` to ``to`` of one stream. ``room_id`` is None for the own stream.

    ``begin`` is None when the rows replace what was there; ``rows`` is None when they were left
    out and must be pulled.
    """

    room_id: str | None
    begin: int | None
    to: int
    rows: Rows | None
    dropped_rooms: tuple[str, ...] = ()

    @classmethod
    def read(cls, value: Any) -> Step | None:
        """Read the payload of an event; None when it is not a step."""
        if not isinstance(value, Mapping):
            return None
        begin, to, rows = value.get("from"), value.get("to"), value.get("rows")
        is_of_room = "room_id" in value
        owner = value.get("room_id" if is_of_room else "user_id")
        if isinstance(owner, str) and is_number(begin) and is_number(to) and begin < to:
            return cls(owner if is_of_room else None, begin, to, read_rows(rows))
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of ``pull_changes``. ``user`` is None on another timeline."""

    timeline: str
    user: Step | None
    rooms: tuple[Step, ...]
    profiles: Sequence[Row]
    more: bool

    @classmethod
    def read(cls, value: Any) -> Answer:
        """Read an answer; raises KeyError or TypeError when it is none."""
        user = value["user"]
        return cls(
            timeline=value["timeline"],
            user=None
            if user is None
            else Step(
                None,
                user["from"],
                user["to"],
                read_rows(user["rows"]) or {},
                tuple(user["dropped_rooms"]),
            ),
            rooms=tuple(
                Step(
                    room["room_id"],
                    None if room["reset"] else room["from"],
                    room["to"],
                    read_rows(room["rows"]) or {},
                )
                for room in value["rooms"]
            ),
            profiles=value["profiles"],
            more=value["more"],
        )


@dataclass(frozen=True, slots=True)
class Heads:
    """An answer of ``list_heads``, by room."""

    timeline: str
    user: events.Head
    rooms: Mapping[str, events.Head]

    @classmethod
    def of(cls, answer: events.Heads) -> Heads:
        """Look an answer up by room."""
        rooms = {str(head.room_id): head for head in answer.rooms}
        return cls(answer.timeline, answer.user, rooms)


def is_number(value: Any) -> TypeGuard[int]:
    """Tell whether a JSON value can be a number of a stream."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def read_rows(value: Any) -> Rows | None:
    """Return ``{kind: [rows]}``, or None when it is something else."""
    if isinstance(value, Mapping) and all(isinstance(each, list) for each in value.values()):
        return value
    return None
