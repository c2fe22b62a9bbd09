"""A fuzzer with a fault injector: whatever happens, every copy becomes what its owner may see.

The seed is printed; ``PARLEY_CHAOS_SEED`` repeats what people do (not the timing). The short form
lasts a minute; ``--chaos`` goes on until 50,000 numbers have been given out.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parley.stack import Stack
from tests.chaos.sync_attacker import Attacker
from tests.chaos.sync_world import World

pytestmark = pytest.mark.lasts(150)

ATTACKER = "Mal"
PEOPLE = ("Ann", "Bob", "Cat", "Dan", ATTACKER, "Eve")
FANOUT_LIMIT = 3


@dataclass(frozen=True)
class Form:
    """How long it goes on, and how fast."""

    writers: int
    every_s: float
    """The mean pause of a writer between two calls."""
    sends_per_second: int
    """What one person may spend; the first one adds people all the time, which is dear."""
    attack_every_s: float
    """The mean pause of the attacker between two bursts."""
    round_s: float
    hurt_every_s: float
    cycle: int
    """Rounds from one restore to the next; the copy is made a round before."""


SHORT = Form(4, 0.03, 200, 5.0, 7.0, 0.8, 3)
LONG = Form(6, 0.0, 10_000, 10.0, 30.0, 2.0, 8)
CATCH_UP_S = 5.0
"""How long a copy may take to catch up after an attack; held in the long form only."""
SHORT_S = 50.0
LONG_CHANGES = int(os.environ.get("PARLEY_CHAOS_CHANGES", "50000"))


@asynccontextmanager
async def world(naive: str = "", sends_per_second: int = 100) -> AsyncIterator[World]:
    """A stack of its own with people in it."""
    seed = int(os.environ.get("PARLEY_CHAOS_SEED", random.randrange(10**9)))
    sys.stdout.write(f"seed {seed}\n")
    async with AsyncExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="parley-chaos-")))
        (folder / "stack").mkdir()
        stack = Stack(folder / "stack", port=0, db_port=0)
        here = World(stack, seed, folder)
        exits.push_async_callback(here.stop)
        await stack.up()
        await here.settle(exits, naive, PEOPLE)
        await here.make_rooms(FANOUT_LIMIT, sends_per_second)
        yield here


def report(here: World, attacker: Attacker) -> dict[str, Any]:
    """The counts that are printed."""
    faults = sum((each.proxy.faults.counts for each in here.devices), start=here.faults.copy())
    numbers, epochs = here.given_out()
    return {
        "changes": numbers,
        "epoch changes": epochs,
        "acknowledged sends": len(here.everything_sent()),
        "calls over SQL": dict(here.written.calls.most_common()),
        "calls on tables": dict(
            sum((each.calls for each in here.table_writers), start=Counter()).most_common()
        ),
        "refused over SQL": dict(here.written.refusals.most_common()),
        "answers to the attacker": dict(attacker.answers.most_common()),
        "poison let through": attacker.poisoned,
        "faults": dict(faults.most_common()),
        "quiet points": here.verdict.quiet_points,
        "slowest convergence s": round(here.verdict.longest_s, 1),
        "slowest catch-up after an attack s": round(here.verdict.catch_up_s, 1),
        "missed": len(here.verdict.missed),
        "duplicated": len(here.verdict.duplicated),
        "lost acknowledged writes": len(here.verdict.lost),
        "deadlocks": here.deadlocks,
        "rows of others": len(here.verdict.surplus),
        "wrong numbers": len(here.verdict.wrong),
    }


async def test_every_copy_becomes_what_its_owner_may_see(pytestconfig: pytest.Config) -> None:
    is_long = bool(pytestconfig.getoption("chaos", default=False))
    form = LONG if is_long else SHORT
    async with (
        world(sends_per_second=form.sends_per_second) as here,
        here.writing(form.writers, form.every_s),
        here.attacking(ATTACKER, form.attack_every_s) as attacker,
    ):
        began = time.monotonic()
        rounds = 0
        while rounds < form.cycle or (
            here.given_out()[0] < LONG_CHANGES if is_long else time.monotonic() - began < SHORT_S
        ):
            await here.work(form.round_s, form.hurt_every_s)
            if await here.quiet():
                await here.miss_an_attack(attacker)
            rounds += 1
            if rounds % form.cycle == form.cycle - 1:
                await here.copy_database()
            elif rounds % form.cycle == 0:
                await here.restore_database()
                await here.quiet()
            if not here.verdict:
                break
        counts = report(here, attacker)
        sys.stdout.write(json.dumps(counts, indent=2) + "\n")
        if not here.verdict:
            sys.stdout.write(here.last_words())
        assert here.verdict.missed == []
        assert here.verdict.duplicated == []
        assert here.verdict.lost == []
        assert here.verdict.surplus == []
        assert here.verdict.wrong == []
        assert counts["deadlocks"] == 0
        assert attacker.answers["done"] > 0
        assert attacker.poisoned == 0
        if is_long:
            assert here.verdict.catch_up_s <= CATCH_UP_S
        assert here.faults["restore"] > 0
