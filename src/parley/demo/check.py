"""The proof behind ``--check``: what is sent arrives once, in order, and not after a removal."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg

from parley.demo.conversation import (
    LINES,
    WITHOUT_CAT,
    Delivery,
    chatter,
    converse,
    deliver,
)
from parley.demo.person import Person
from parley.demo.picture import check_picture, check_removed

PACED_MESSAGES = 50
PER_SECOND = 20.0
LOWERED_LIMIT = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for one room: its deliveries, and a sentence for each thing that was wrong."""

    deliveries: list[Delivery]
    problems: list[str]


@contextlib.asynccontextmanager
async def lowered_fanout_limit(db_url: str) -> AsyncIterator[None]:
    """Let a room of three people count as large for a while."""
    async with await psycopg.AsyncConnection.connect(db_url, autocommit=True) as connection:
        rows = await connection.execute("select fanout_limit from chat_private.settings")
        usual = await rows.fetchone()
        change = "update chat_private.settings set fanout_limit = %s"
        await connection.execute(change, (LOWERED_LIMIT,))
        try:
            yield
        finally:
            await connection.execute(change, usual)


async def check_room(
    ann: Person, bob: Person, cat: Person, name: str, show: Callable[[Delivery], None]
) -> Verdict:
    """Let Ann, Bob and Cat talk in a new room, remove Cat, and check what each of them received."""
    room = await ann.api.create_room(name, member_ids=[bob.id, cat.id])
    room_id, is_large, epoch = room.id, room.is_large, room.epoch
    # Steps of a small room go to its members' user topics; a large room has a topic of its own.
    for person in (ann, bob) if is_large else ():
        await person.listen(f"room:{room_id}:{epoch}")
    await bob.listen(f"live:{room_id}:{epoch}")
    await cat.listen(f"room:{room_id}:{epoch}")
    await cat.listen(f"live:{room_id}:{epoch}")

    deliveries = await converse((ann, bob), room_id, LINES, show)
    deliveries += await chatter((ann, bob), room_id, PACED_MESSAGES, PER_SECOND)
    deliveries.append(await deliver(ann, cat, room_id, "Cat, can you hear us?"))
    pictures = await check_picture(ann, bob, cat, room_id)
    await bob.broadcast(f"live:{room_id}:{epoch}", "typing")
    typing = await cat.hears(lambda each: each.topic == f"live:{room_id}:{epoch}")

    removal = (await ann.api.remove_member(room_id, cat.id)).rev
    epoch = await ann.room_epoch(room_id)
    for person in (ann, bob):
        if is_large:
            await person.listen(f"room:{room_id}:{epoch}")
        await person.listen(f"live:{room_id}:{epoch}")
    deliveries += await converse((ann, bob), room_id, WITHOUT_CAT, show)
    await bob.broadcast(f"live:{room_id}:{epoch}", "typing")
    await ann.hears(lambda each: each.topic == f"live:{room_id}:{epoch}")

    problems = [] if typing else ["Cat did not hear that Bob was typing while she was in the room."]
    problems += pictures + await check_removed(bob, cat, room_id)
    problems += await late_arrivals(ann, cat, room_id, removal)
    problems += lost_messages(deliveries)
    head = (await ann.api.list_messages(room_id, page_size=1))[-1].rev
    for person in (ann, bob):
        problems += disorder(person, room_id, head)
    return Verdict(deliveries, problems)


async def late_arrivals(ann: Person, cat: Person, room_id: UUID, removal: int) -> list[str]:
    """List what Cat received of a room after her removal, over the sockets that she had open.

    A direct message that arrives on the same socket later shows that nothing is still on its way.
    """
    await cat.listen_to_self()
    direct = await ann.api.open_direct(cat.id)
    last = await deliver(ann, cat, direct.id, "Sorry, Cat.")
    problems = [] if last.took_ms else ["Cat's socket was closed, so it proves nothing."]
    for event in cat.heard:
        step = event.step_of(room_id)
        if step is not None and step.to > removal:
            problems.append(f"Cat was removed at {removal} and heard {step.to} on {event.topic}.")
    typing = [each for each in cat.heard if each.topic.startswith(f"live:{room_id}:")]
    if len(typing) > 1:
        problems.append("Cat heard that somebody was typing after she was removed.")
    return problems


def lost_messages(deliveries: Sequence[Delivery]) -> list[str]:
    """List the messages that did not arrive."""
    return [
        f"Message {each.seq} from {each.sender} did not reach {each.listener}."
        for each in deliveries
        if each.took_ms is None
    ]


def disorder(person: Person, room_id: UUID, head: int) -> list[str]:
    """List where the steps of a room that a person received repeat, leave a gap or end early."""
    problems = []
    seen: set[tuple[str, int]] = set()
    at: int | None = None
    last_seq = 0
    for event in person.heard:
        step = event.step_of(room_id)
        if step is None:
            continue
        if (event.topic, step.to) in seen:
            problems.append(f"{person.name} heard step {step.to} twice on {event.topic}.")
        seen.add((event.topic, step.to))
        # The same step may come by another topic as well.
        if at is not None and step.to <= at:
            continue
        if at is not None and step.from_ != at:
            problems.append(f"{person.name} was at {at} and heard {step.from_} to {step.to} next.")
        at = step.to
        for message in step.rows.messages if step.rows else ():
            if message.seq <= last_seq:
                problems.append(f"{person.name} heard message {message.seq} out of order.")
            last_seq = message.seq
    if at != head:
        problems.append(f"{person.name} stands at {at}, and the room at {head}.")
    return problems
