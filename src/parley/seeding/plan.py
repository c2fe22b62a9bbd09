"""The plan: the people, rooms and messages to write, computed before anything is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random
from uuid import UUID

from parley.seeding.words import person_name, room_name, sentence

KNOWN = (
    UUID("a11ce000-0000-4000-8000-000000000001"),
    UUID("b0b00000-0000-4000-8000-000000000002"),
    UUID("ca700000-0000-4000-8000-000000000003"),
    UUID("da900000-0000-4000-8000-000000000004"),
)
"""Ann, Bob, Cat and Dan of supabase/seed.sql."""

DAYS = 90


@dataclass(frozen=True)
class Scale:
    """The size of a plan. ``users`` are added to Ann, Bob, Cat and Dan; ``messages`` is a total."""

    users: int
    rooms: int
    messages: int
    seed: int


@dataclass(frozen=True)
class PlannedPerson:
    """A person without a password."""

    id: UUID
    name: str


@dataclass(frozen=True)
class PlannedRoom:
    """A group with its people, the first of whom owns it."""

    id: UUID
    name: str
    member_ids: tuple[UUID, ...]
    opened_at: dt.datetime
    message_count: int


@dataclass(frozen=True)
class PlannedMessage:
    """A message; ``reply_to`` is a seq, ``created_at`` rises with ``seq``."""

    id: UUID
    seq: int
    sender_id: UUID
    body: str
    reply_to: int | None
    created_at: dt.datetime


class Plan:
    """The people, rooms and messages of a scale, up to the moment ``until``."""

    def __init__(self, scale: Scale, until: dt.datetime) -> None:
        self.scale = scale
        self._start = until - dt.timedelta(days=DAYS)
        self._seconds = DAYS * 86400

    @cached_property
    def people(self) -> list[PlannedPerson]:
        """The new people."""
        random = Random(f"people {self.scale.seed}")  # noqa: S311
        return [
            PlannedPerson(random_uuid(random), person_name(random)) for _ in range(self.scale.users)
        ]

    @cached_property
    def rooms(self) -> list[PlannedRoom]:
        """The rooms: most are small, one in fifty is large, a few have most of the messages."""
        random = Random(f"rooms {self.scale.seed}")  # noqa: S311
        everybody = [*KNOWN[:3], *(person.id for person in self.people)]
        weights = [1 / (place + 1) ** 0.6 for place in range(self.scale.rooms)]
        counts = shares(self.scale.messages, weights)
        rooms = []
        for count in counts:
            wanted = random.randint(20, 60) if random.random() < 0.02 else random.randint(2, 12)
            members = random.sample(everybody, min(wanted, len(everybody)))
            opened = self._start + dt.timedelta(seconds=random.random() * self._seconds / 3)
            rooms.append(
                PlannedRoom(random_uuid(random), room_name(random), tuple(members), opened, count)
            )
        return rooms

    def messages(self, room: PlannedRoom) -> Iterator[PlannedMessage]:
        """Yield the messages of a room in their order."""
        random = Random(f"{room.id} {self.scale.seed}")  # noqa: S311
        step = (self._seconds * 2 / 3) / (room.message_count + 1)
        for seq in range(1, room.message_count + 1):
            yield PlannedMessage(
                id=random_uuid(random),
                seq=seq,
                sender_id=random.choice(room.member_ids),
                body=sentence(random),
                reply_to=random.randint(max(1, seq - 20), seq - 1)
                if seq > 1 and random.random() < 0.1
                else None,
                created_at=room.opened_at
                + dt.timedelta(seconds=step * (seq - 1 + random.random())),
            )


def random_uuid(random: Random) -> UUID:
    """Return a version 4 uuid from a seeded generator."""
    return UUID(int=random.getrandbits(128), version=4)


def shares(total: int, weights: list[float]) -> list[int]:
    """Split a number in proportion to weights; the parts add up to the number."""
    whole = sum(weights)
    reached, given, counts = 0.0, 0, []
    for weight in weights:
        reached += weight
        count = round(total * reached / whole) - given
        given += count
        counts.append(count)
    return counts
