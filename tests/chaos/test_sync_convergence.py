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
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from parley.stack import Stack
from tests.chaos.sync_world import World

PEOPLE = ("Ann", "Bob", "Cat", "Dan")
SHORT_S = 60.0
RESTORED_AFTER = 3
LONG_CHANGES = int(os.environ.get("PARLEY_CHAOS_CHANGES", "50000"))


@asynccontextmanager
async def world(naive: str = "") -> AsyncIterator[World]:
    """A stack of its own with people in it."""
    seed = int(os.environ.get("PARLEY_CHAOS_SEED", random.randrange(10**9)))
    sys.stdout.write(f"seed {seed}\n")
    async with AsyncExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="parley-chaos-")))
        (folder / "stack").mkdir()
        stack = Stack(folder / "stack", port=0, db_port=0)
        exits.push_async_callback(stack.down)
        await stack.up()
        here = World(stack, seed, folder)
        await here.settle(exits, naive, PEOPLE)
        await here.make_rooms(fanout_limit=3)
        yield here


def report(here: World) -> dict[str, Any]:
    """The counts that are printed."""
    broadcasts = sum((each.proxy.faults.counts for each in here.devices), start=here.faults.copy())
    return {
        "changes": here.changes(),
        "calls over SQL": sum(here.written.calls.values()),
        "refused over SQL": sum(here.written.refusals.values()),
        "acknowledged sends": len(here.everything_sent()),
        "quiet points": here.verdict.quiet_points,
        "slowest convergence s": round(here.verdict.longest_s, 1),
        "faults": dict(broadcasts),
        "missed": len(here.verdict.missed),
        "surplus": len(here.verdict.surplus),
        "lost acknowledged writes": len(here.verdict.lost),
        "wrong numbers": len(here.verdict.wrong),
        "deadlocks": here.written.deadlocks,
    }


@pytest.mark.long
async def test_every_copy_becomes_what_its_owner_may_see(pytestconfig: pytest.Config) -> None:
    is_long = bool(pytestconfig.getoption("chaos", default=False))
    async with world() as here, here.writing(writers=4, every_s=0.003 if is_long else 0.03):
        began = time.monotonic()
        rounds = 0
        while rounds < RESTORED_AFTER or (
            here.changes() < LONG_CHANGES if is_long else time.monotonic() - began < SHORT_S
        ):
            await here.work(30.0 if is_long else 8.0, hurt_every_s=2.0 if is_long else 1.0)
            await here.quiet()
            rounds += 1
            if rounds == RESTORED_AFTER - 1:
                await here.copy_database()
            if rounds == RESTORED_AFTER:
                await here.restore_database()
                await here.quiet()
            verdict = here.verdict
            if verdict.missed or verdict.surplus or verdict.lost or verdict.wrong:
                break
        sys.stdout.write(json.dumps(report(here), indent=2) + "\n")
        assert verdict.missed == []
        assert verdict.surplus == []
        assert verdict.lost == []
        assert verdict.wrong == []
        assert here.written.deadlocks == 0
        assert here.faults["restore"] == 1
