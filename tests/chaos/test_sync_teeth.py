"""The checker has teeth: clients that make the usual mistakes are found out.

The same people, rooms and bad lines for each of them; ours, the control, must pass.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from parley.sync.engine import Engine
from parley.sync.steps import Step
from parley.sync.store import Store
from tests.chaos.sync_world import QUIET_S, Verdict, World
from tests.chaos.test_sync_convergence import world
from tests.unit.sync_fakes import ME, ROOM, FakeServer
from tests.until import until

pytestmark = pytest.mark.lasts(120)

ROUNDS = 4
CLIENTS = ("created_at", "no_from", "no_timer", "gone_for_all", "")
"""The mistakes that must be noticed; the last one makes none."""


async def try_client(here: World, naive: str) -> Verdict:
    """Some rounds over lines that lose every third broadcast; stops at the first miss."""
    here.verdict = Verdict()
    for device in here.devices:
        await device.begin_anew(naive)
    assert await here.quiet(30 if naive else QUIET_S) or naive
    here.verdict = Verdict()
    for _ in range(4 * ROUNDS if naive else ROUNDS):
        for device in here.devices:
            device.proxy.faults.drop = 0.35
        await here.work(3.0, hurt_every_s=None)
        await here.quiet(6 if naive else QUIET_S)
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


class Once:
    """A client that pulls once when it is told that there is more."""

    def __init__(self, store: Store, server: FakeServer) -> None:
        self._store = store
        self._server = server

    def hear(self, payload: Any) -> None:
        """Take a step; one that joins on is applied."""
        step = Step.read(payload)
        assert step is not None
        self._store.apply_step(step)

    async def catch_up(self) -> None:
        """Pull."""
        asked = self._store.cursor()
        self._store.apply_answer(asked, await self._server.pull(asked.asking(200, 5000), {}))


@pytest.mark.parametrize(("is_ours", "arrives"), [(True, True), (False, False)])
async def test_pulling_once_misses_what_the_snapshot_did_not_see_yet(
    tmp_path: Path, is_ours: bool, arrives: bool
) -> None:
    server = FakeServer("one")
    store = Store(tmp_path / "copy.db")
    store.bind("http://here", ME)
    engine = Engine(store, server, lambda changes: None)
    await engine.sync()
    client = engine if is_ours else Once(store, server)
    asked = len(server.cursors)
    said = server.say("two")
    server.hidden = 1
    client.hear({key: value for key, value in said.items() if key != "rows"})
    catching_up = asyncio.create_task(client.catch_up())
    await until(lambda: len(server.cursors) > asked)
    server.hidden = 0
    await catching_up
    assert (store.cursor().rooms[ROOM] == 2) is arrives
    store.close()
