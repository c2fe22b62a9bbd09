"""The proof behind ``--check``: everything arrives once and in order, and removal is removal."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import psycopg

from parley.demo.conversation import (
    LINES,
    WITHOUT_CAT,
    Delivery,
    chatter,
    converse,
    deliver,
    messages_of,
)
from parley.demo.person import Person

PACED_MESSAGES = 50
PER_SECOND = 20.0
LOWERED_LIMIT = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one room showed: the deliveries, and a sentence for everything that was wrong."""

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
    """Let Ann, Bob and Cat talk in a new room, remove Cat, and look at what everybody heard."""
    room = await ann.call("create_room", name=name, member_ids=[bob.user_id, cat.user_id])
    room_id, is_large = str(room["id"]), bool(room["is_large"])
    epoch = int(room["epoch"])
    # Small rooms speak to the people themselves; a large one has a topic of its own.
    for person in (ann, bob) if is_large else ():
        await person.listen(f"room:{room_id}:{epoch}")
    await bob.listen(f"live:{room_id}:{epoch}")
    await cat.listen(f"room:{room_id}:{epoch}")
    await cat.listen(f"live:{room_id}:{epoch}")

    deliveries = await converse((ann, bob), room_id, LINES, show)
    deliveries += await chatter((ann, bob), room_id, PACED_MESSAGES, PER_SECOND)
    deliveries.append(await deliver(ann, cat, room_id, "Cat, can you hear us?"))
    await bob.broadcast(f"live:{room_id}:{epoch}", "typing")
    typing = await cat.hears(lambda each: each.topic == f"live:{room_id}:{epoch}")

    removed = await ann.call("remove_member", room_id=room_id, user_id=cat.user_id)
    removal = int(removed["rev"])
    epoch = await ann.room_epoch(room_id)
    for person in (ann, bob):
        if is_large:
            await person.listen(f"room:{room_id}:{epoch}")
        await person.listen(f"live:{room_id}:{epoch}")
    deliveries += await converse((ann, bob), room_id, WITHOUT_CAT, show)
    await bob.broadcast(f"live:{room_id}:{epoch}", "typing")
    await ann.hears(lambda each: each.topic == f"live:{room_id}:{epoch}")

    problems = [] if typing else ["Cat did not hear that Bob was typing while she was in the room."]
    problems += await late_arrivals(ann, cat, room_id, removal)
    problems += lost_messages(deliveries)
    head = int((await ann.call("list_messages", room_id=room_id, page_size=1))[-1]["rev"])
    for person in (ann, bob):
        problems += disorder(person, room_id, head)
    return Verdict(deliveries, problems)


async def late_arrivals(ann: Person, cat: Person, room_id: str, removal: int) -> list[str]:
    """Say what Cat heard of a room above her removal, over the sockets she had open by then.

    A direct message that comes down the same socket afterwards shows that nothing is on its way.
    """
    await cat.listen_to_self()
    direct = await ann.call("open_direct", user_id=cat.user_id)
    last = await deliver(ann, cat, str(direct["id"]), "Sorry, Cat.")
    problems = [] if last.took_ms else ["Cat's socket was closed, so it proves nothing."]
    for event in cat.heard:
        if event.payload.get("room_id") == room_id and event.payload["to"] > removal:
            problems.append(
                f"Cat was removed at {removal} and heard {event.payload['to']} on {event.topic}."
            )
    typing = [each for each in cat.heard if each.topic.startswith(f"live:{room_id}:")]
    if len(typing) > 1:
        problems.append("Cat heard that somebody was typing after she was removed.")
    return problems


def lost_messages(deliveries: Sequence[Delivery]) -> list[str]:
    """Say which messages did not arrive."""
    return [
        f"Message {each.seq} from {each.sender} did not reach {each.listener}."
        for each in deliveries
        if each.took_ms is None
    ]


def disorder(person: Person, room_id: str, head: int) -> list[str]:
    """Say where the steps that somebody heard of a room repeat, do not join or end too early."""
    problems = []
    steps = [each for each in person.heard if each.payload.get("room_id") == room_id]
    seen: set[tuple[str, int]] = set()
    at: int | None = None
    last_seq = 0
    for step in steps:
        begin, end = int(step.payload["from"]), int(step.payload["to"])
        if (step.topic, end) in seen:
            problems.append(f"{person.name} heard step {end} twice on {step.topic}.")
        seen.add((step.topic, end))
        # The same step may come by another topic as well.
        if at is not None and end <= at:
            continue
        if at is not None and begin != at:
            problems.append(f"{person.name} was at {at} and heard {begin} to {end} next.")
        at = end
        for message in messages_of(step, room_id):
            if message["seq"] <= last_seq:
                problems.append(f"{person.name} heard message {message['seq']} out of order.")
            last_seq = message["seq"]
    if at != head:
        problems.append(f"{person.name} stands at {at}, and the room at {head}.")
    return problems
