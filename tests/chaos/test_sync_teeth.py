"""The checker has teeth: clients that make the usual mistakes are found out.

The same people, rooms and bad lines for each of them; ours, the control, must pass.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from parley.sync.engine import Engine
from parley.sync.store import Store
from tests.chaos.sync_world import Verdict, World
from tests.chaos.test_sync_convergence import world
from tests.unit.sync_fakes import ME, ROOM, FakeServer

ROUNDS = 4
CLIENTS = ("created_at", "no_from", "no_timer", "")
"""The mistakes that must be noticed; the last one makes none."""


async def try_client(here: World, naive: str) -> Verdict:
    """Some rounds over lines that lose every third broadcast; stops at the first miss."""
    here.verdict = Verdict()
    for device in here.devices:
        await device.begin_anew(naive)
    assert await here.quiet(30) or naive
    here.verdict = Verdict()
    for _ in range(ROUNDS):
        for device in here.devices:
            device.proxy.faults.drop = 0.35
        await here.work(3.0, hurt_every_s=None)
        await here.quiet(20 if not naive else 6)
        if here.verdict.missed:
            break
    return here.verdict


async def test_naive_clients_are_found_out_and_ours_is_not() -> None:
    async with world() as here, here.writing(writers=2, every_s=0.05):
        verdicts = {naive: await try_client(here, naive) for naive in CLIENTS}
    missed = {naive: len(verdict.missed) for naive, verdict in verdicts.items()}
    sys.stdout.write(f"missed {missed}\n")
    ours = verdicts.pop("")
    assert ours.missed == [] and ours.surplus == []
    assert all(verdict.missed for verdict in verdicts.values()), missed


class OnceEngine(Engine):
    """Pulls once for what it was told."""

    async def catch_up(self) -> None:
        behind = self._behind()
        self._told.clear()
        await self._pull(behind)


@pytest.mark.parametrize(("kind", "arrives"), [(Engine, True), (OnceEngine, False)])
async def test_pulling_once_misses_what_the_snapshot_did_not_see_yet(
    tmp_path: Path, kind: type[Engine], arrives: bool
) -> None:
    server = FakeServer("one")
    store = Store(tmp_path / "copy.db")
    store.bind("http://here", ME)
    await Engine(store, server, lambda changes: None).sync()
    engine = kind(store, server, lambda changes: None)
    engine._heads_wanted = False
    asked = len(server.cursors)
    said = server.say("two")
    server.hidden = 1
    engine.hear({key: value for key, value in said.items() if key != "rows"})
    catching_up = asyncio.create_task(engine.catch_up())
    while len(server.cursors) == asked:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    server.hidden = 0
    await catching_up
    assert (store.cursor().rooms[ROOM] == 2) is arrives
    store.close()
