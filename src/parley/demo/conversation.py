"""What the people of the demo say, and how long it takes to arrive."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from parley.demo.person import Event, Person
from parley.models import MessagesRow

LINES = (
    ("Ann", "Bob, are you still up?"),
    ("Bob", "Always. What is it?"),
    ("Ann", "Is this message in the database, or only on my screen?"),
    ("Bob", "It reached me because it was committed. There is no other way here."),
    ("Ann", "And if my socket had been down?"),
    ("Bob", "Then you would have seen a gap in the numbers, and asked for what is missing."),
    ("Ann", "I like numbers. Good night, Bob."),
    ("Bob", "Good night 🌙"),
)
WITHOUT_CAT = (
    ("Ann", "I took Cat out of the room. Her sockets are still open."),
    ("Bob", "Do they hear this?"),
    ("Ann", "They must not."),
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one person; ``took_ms`` is None when it did not arrive."""

    sender: str
    listener: str
    body: str
    seq: int
    took_ms: float | None


def messages_of(event: Event, room_id: UUID) -> tuple[MessagesRow, ...]:
    """Return the messages in a step of a room; none when it is about something else."""
    step = event.step_of(room_id)
    return () if step is None or step.rows is None else step.rows.messages


async def deliver(sender: Person, listener: Person, room_id: UUID, body: str) -> Delivery:
    """Send a message and wait until the other person has it."""
    begun = time.perf_counter()
    message = await sender.say(room_id, body)
    event = await listener.hears(
        lambda each: any(row.seq == message.seq for row in messages_of(each, room_id))
    )
    took_ms = None if event is None else (event.at - begun) * 1000
    return Delivery(sender.name, listener.name, body, message.seq, took_ms)


async def converse(
    people: Sequence[Person],
    room_id: UUID,
    lines: Sequence[tuple[str, str]],
    show: Callable[[Delivery], None],
) -> list[Delivery]:
    """Let two people send lines in turn; each waits until the line before has arrived."""
    ann, bob = people
    deliveries = []
    for name, body in lines:
        sender, listener = (ann, bob) if name == ann.name else (bob, ann)
        delivery = await deliver(sender, listener, room_id, body)
        show(delivery)
        deliveries.append(delivery)
    return deliveries


async def chatter(
    people: Sequence[Person], room_id: UUID, count: int, per_second: float
) -> list[Delivery]:
    """Let two people send ``count`` messages at an even pace, without waiting for each other."""
    ann, bob = people
    begun = time.perf_counter()
    tasks = []
    for number in range(count):
        await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        sender, listener = (ann, bob) if number % 2 == 0 else (bob, ann)
        tasks.append(asyncio.create_task(deliver(sender, listener, room_id, f"{number}")))
    return await asyncio.gather(*tasks)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def describe(deliveries: Sequence[Delivery]) -> str:
    """Return the p50 and p99 of arrival times as a sentence."""
    times = [each.took_ms for each in deliveries if each.took_ms is not None]
    if not times:
        return "Nothing arrived."
    return (
        f"{len(times)} messages, from send to arrival: "
        f"p50 {percentile(times, 0.5):.0f} ms, p99 {percentile(times, 0.99):.0f} ms."
    )
