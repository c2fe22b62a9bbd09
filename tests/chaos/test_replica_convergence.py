"""Devices that read from a replica converge, whatever happens to it.

The seed is printed; ``PARLEY_CHAOS_SEED`` repeats what people do (not the timing). The short form
takes a minute, the long one a quarter of an hour.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from parley.stack import Stack
from tests.chaos.replica_world import ReplicaWorld

pytestmark = pytest.mark.lasts(80)

PEOPLE = ("Ann", "Bob", "Cat", "Dan")
FANOUT_LIMIT = 3
SENDS_PER_SECOND = 100
WRITERS, WRITE_EVERY_S = 2, 0.1


async def test_copies_that_read_from_a_replica_become_what_their_owners_may_see(
    pytestconfig: pytest.Config,
) -> None:
    is_long = bool(pytestconfig.getoption("chaos", default=False))
    cycles, rounds, round_s = (8, 4, 20.0) if is_long else (1, 2, 5.0)
    seed = int(os.environ.get("PARLEY_CHAOS_SEED", random.randrange(10**9)))
    sys.stdout.write(f"seed {seed}\n")
    async with AsyncExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="parley-chaos-")))
        (folder / "stack").mkdir()
        here = ReplicaWorld(Stack(folder / "stack", port=0, db_port=0, replicas=1), seed, folder)
        exits.push_async_callback(here.stop)
        await here.stack.up()
        await here.settle(exits, "", PEOPLE)
        await here.make_rooms(FANOUT_LIMIT, SENDS_PER_SECOND)
        await exits.enter_async_context(here.writing(WRITERS, WRITE_EVERY_S))
        for _ in range(cycles):
            for _ in range(rounds):
                await here.work(round_s, 1.0)
                await here.quiet()
            await here.fail_over()
            await here.work(round_s, None)
            await here.quiet()
            if not here.verdict:
                break
        counts = {
            "changes": here.given_out()[0],
            "acknowledged sends": len(here.everything_sent()),
            "faults": dict(here.faults.most_common()),
            "pulls that the replica answered": here.pulled_from_replica("pull_changes"),
            "pulls that it was asked for": here.reads.requests["pull_changes"],
            "pulls of tables that it answered": here.pulled_from_replica("pull_table"),
            "pulls of tables that it was asked for": here.reads.requests["pull_table"],
            "heads that it was asked for": here.reads.requests["list_heads"],
            "slowest convergence s": round(here.verdict.longest_s, 1),
            "missed": len(here.verdict.missed),
            "duplicated": len(here.verdict.duplicated),
            "lost acknowledged writes": len(here.verdict.lost),
            "rows of others": len(here.verdict.surplus),
            "wrong numbers": len(here.verdict.wrong),
            "deadlocks": here.deadlocks,
        }
        sys.stdout.write(json.dumps(counts, indent=2) + "\n")
        if not here.verdict:
            sys.stdout.write(here.last_words())
        assert here.verdict.missed == []
        assert here.verdict.duplicated == []
        assert here.verdict.lost == []
        assert here.verdict.surplus == []
        assert here.verdict.wrong == []
        assert counts["deadlocks"] == 0
        assert here.pulled_from_replica("pull_changes") > 0
        assert here.pulled_from_replica("pull_table") > 0
        assert here.faults["failover"] > 0
