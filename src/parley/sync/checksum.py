"""Does the copy hold what it should? The client's side of ``room_checksum``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from parley.api import ChatApi
from parley.errors import RoomNotFound
from parley.sync.engine import Engine
from parley.sync.store import Store

SEQ_MODULUS = 1_000_003
REV_MODULUS = 998_244_353
SUM_MODULUS = 9_007_199_254_740_881
TRIES = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """A room whose copy is not what the server has. Counts are messages."""

    room_id: UUID
    here: tuple[int, int, int]
    there: tuple[int, int, int]
    """The number of the room, the count and the sum."""


def checksum(messages: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Count (seq, rev) pairs and sum them up as ``room_checksum`` does."""
    count = total = 0
    for seq, rev in messages:
        count += 1
        total += (seq % SEQ_MODULUS + 1) * (rev % REV_MODULUS + 1)
    return count, total % SUM_MODULUS


async def compare(store: Store, api: ChatApi, engine: Engine) -> list[Difference]:
    """Compare every room of the copy with the server, once both are at the same number."""
    differences = []
    await engine.sync()
    for room_id in store.cursor().rooms:
        difference = await compare_room(store, api, engine, room_id)
        if difference is not None:
            differences.append(difference)
    return differences


async def compare_room(
    store: Store, api: ChatApi, engine: Engine, room_id: str
) -> Difference | None:
    """Compare one room; None when it agrees, or is gone meanwhile."""
    difference = None
    for _ in range(TRIES):
        held = store.held(room_id)
        if held is None:
            return None
        try:
            there = await api.room_checksum(UUID(room_id), held.first_seq)
        except RoomNotFound:
            await engine.sync()
            continue
        # Read again: the copy may have moved while the server was counting.
        held = store.held(room_id)
        if held is None:
            return None
        here = (held.rev or 0, *checksum(held.messages))
        server = (there.rev, there.count, there.sum)
        if here == server and held.first_seq == there.from_seq:
            return None
        difference = Difference(UUID(room_id), here, server)
        if held.rev == there.rev and held.first_seq == there.from_seq:
            return difference
        await engine.sync()
    return difference
