"""Which resource of a hosted project runs out first, and with how many people a day.

What everything costs is measured: in processor time of one connection, in bytes on disk, in bytes
that are sent. How much of it a person does in a day is assumed (``Day``). What a plan allows is
from Supabase's documentation (``PLANS``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bench.actors import (
    DELIVERED,
    HEARTBEAT,
    JOIN,
    OPEN,
    PAGE,
    PUSH,
    READ,
    SEND,
    Costs,
    measure,
)
from bench.databases import Clones
from bench.outcome import Chart, Outcome

FRAME_BYTES = 200
"""Of a delivery beside its payload: the envelope, and what TLS and TCP add."""


@dataclass(frozen=True)
class Day:
    """What one person does in a day, in rooms of five. Change it to what your people do."""

    sends: float = 30
    deliveries: float = 30
    reads: float = 40
    opens: float = 12
    pages: float = 24
    joins: float = 24
    heartbeats: float = 60
    pushes: float = 25
    minutes: float = 30
    """How long the app is in front."""
    online: float = 0.2
    """Which share of the others in a room is connected when something is said."""
    busiest_hour: float = 0.12
    """Which share of the day is in its busiest hour."""


@dataclass(frozen=True)
class Plan:
    """What a plan of the hosted platform allows."""

    name: str
    connections: int
    messages_per_second: int
    joins_per_second: int
    messages_per_month: int
    egress_gb: int
    disk_gb: float
    iops: int


PLANS = (
    Plan("Free, on Nano", 200, 100, 100, 2_000_000, 5, 0.5, 250),
    Plan("Pro, on Micro, what is included", 500, 500, 500, 5_000_000, 250, 8, 500),
)
"""From supabase.com/docs: guides/realtime/limits, guides/platform/billing-on-supabase and
guides/platform/compute-and-disk."""
CORES = 1.0
"""Of the two that both share with others: what is planned with at the busiest hour."""
KEPT_DAYS = 365
BROADCASTS_KEPT_DAYS = 3
MONTH = 30.0


def measure_capacity(clones: Clones, rooms: int, rounds: int) -> Outcome:
    """Measure what a day is made of, and hold it against the plans."""
    costs = measure(clones.make("capacity"), rooms, rounds)
    day = Day()
    people = {plan.name: capacity(costs, day, plan) for plan in PLANS}
    per_day = {name: costs.processor_ms[name] * count for name, count in acts(day).items()}
    return Outcome(
        "capacity",
        [
            Chart(
                "people",
                "People a day with whom a resource runs out",
                "people a day",
                "",
                "dots",
                {plan: list(found.items()) for plan, found in people.items()},
            ),
            Chart(
                "processor",
                "What one of each costs Postgres",
                "ms of processor time",
                "",
                "bars",
                {name: [("", cost)] for name, cost in costs.processor_ms.items()},
            ),
            Chart(
                "day",
                "What one person's day costs Postgres",
                "ms of processor time a day",
                "",
                "bars",
                {name: [("", cost)] for name, cost in per_day.items()},
            ),
            Chart(
                "disk",
                "What is written",
                "bytes, with indexes",
                "",
                "bars",
                {
                    "a message, kept": [("", costs.message_bytes)],
                    "a receipt, kept": [("", costs.receipt_bytes)],
                    "a broadcast, for three days": [("", costs.broadcast_bytes)],
                    "WAL of a send": [("", costs.wal_bytes)],
                },
            ),
        ],
        options={
            "day": asdict(day),
            "plans": [asdict(plan) for plan in PLANS],
            "broadcasts": costs.broadcasts,
            "payload_bytes": costs.payload,
            "bytes_sent": costs.bytes_sent,
            "first": {
                plan: min(found, key=lambda each: found[each]) for plan, found in people.items()
            },
        },
    )


def acts(day: Day) -> dict[str, float]:
    """Return how often a person does each thing in a day."""
    return {
        SEND: day.sends,
        DELIVERED: day.deliveries,
        READ: day.reads,
        OPEN: day.opens,
        PAGE: day.pages,
        HEARTBEAT: day.heartbeats,
        JOIN: day.joins,
        PUSH: day.pushes,
    }


def capacity(costs: Costs, day: Day, plan: Plan) -> dict[str, float]:
    """Return how many people a day use up each resource of a plan."""
    counts = acts(day)
    peak = day.busiest_hour / 3600
    sent = sum(costs.broadcasts[name] * counts[name] for name in costs.broadcasts)
    # One of the topics is that of the person who acts, and they are there.
    heard = sum(
        counts[name] * (1 + (each - 1) * day.online)
        for name, each in costs.broadcasts.items()
        if each
    )
    egress = sum(costs.bytes_sent[name] * counts[name] for name in costs.bytes_sent) + heard * (
        costs.payload + FRAME_BYTES
    )
    disk = (
        KEPT_DAYS
        * (day.sends * costs.message_bytes + (day.deliveries + day.reads) * costs.receipt_bytes)
        + BROADCASTS_KEPT_DAYS * sent * costs.broadcast_bytes
    )
    processor = sum(costs.processor_ms[name] * count for name, count in counts.items()) / 1000
    writes = day.sends + day.deliveries + day.reads + day.heartbeats
    return {
        "connections at once": plan.connections / (day.minutes / 60 * day.busiest_hour),
        "Realtime messages a second": plan.messages_per_second / ((sent + heard) * peak),
        "joins a second": plan.joins_per_second / (day.joins * peak),
        "Realtime messages a month": plan.messages_per_month / ((sent + heard) * MONTH),
        "egress a month": plan.egress_gb * 1e9 / (egress * MONTH),
        "disk after a year": plan.disk_gb * 1e9 / disk,
        "one core of Postgres": CORES / (processor * peak),
        "writes a second to the disk": plan.iops / (writes * peak),
    }
