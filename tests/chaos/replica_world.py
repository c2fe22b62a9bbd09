"""A world whose devices read from a replica that lags, stops, hangs, is promoted and takes over."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import AsyncExitStack, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from parley.stack import Stack
from parley.stack.postgres import Postgres
from parley.stack.state import State
from tests.chaos.deck import Deck
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.sync_numbers import known_sends
from tests.chaos.sync_world import World
from tests.until import until

FATES = {
    "lag": 5,
    "pause": 3,
    "stop": 2,
    "hang": 2,
    "promote": 2,
    "kill device": 2,
    "cut sockets": 2,
    "postgres": 1,
}
LAGS_S = (0.0, 0.2, 1.0, 5.0)


class ReplicaWorld(World):
    """A world with a read replica behind a line of its own."""

    def __init__(self, stack: Stack, seed: int, folder: Any) -> None:
        super().__init__(stack, seed, folder)
        self._hurts = Deck(FATES, self.rng)
        self._tasks: set[asyncio.Task[None]] = set()
        self.reads = FaultProxy("", self.rng.randrange(10**9))
        self.answers: dict[str, list[bytes]] = {}
        """What the replica answered pulls of rooms and of tables with."""

    async def settle(self, exits: AsyncExitStack, naive: str, names: tuple[str, ...]) -> None:
        """Sign people up, and give each a device that reads from the replica."""
        await super().settle(exits, naive, names)
        self.reads.upstream = self.stack.status.read_url
        await exits.enter_async_context(self.reads.serving())
        for name in ("pull_changes", "pull_table"):
            self.answers[name] = exits.enter_context(self.reads.recording(name))
        for device in self.devices:
            device.options["read_url"] = self.reads.url

    def pulled_from_replica(self, name: str) -> int:
        """How many pulls the replica answered with more than that it is behind."""
        return sum(b'"timeline"' in each for each in self.answers[name])

    async def _hold_a_name_open(self, user_id: str) -> None:
        """Nothing: no replica answers clients that come from the primary while it is open."""

    async def hurt(self) -> None:
        """One fault."""
        kind = self._hurts.draw()
        if kind in ("kill device", "cut sockets", "postgres"):
            await self._hurt_as(kind)
            return
        self.faults[kind] += 1
        with suppress(psycopg.OperationalError, TimeoutError):
            if kind == "lag":
                lag = self.rng.choice(LAGS_S)
                await self._at_replica(f"alter system set recovery_min_apply_delay = '{lag}s'")
                await self._at_replica("select pg_reload_conf()")
            elif kind == "pause":
                await self._at_replica("select pg_wal_replay_pause()")
                self._later(self.rng.uniform(0.2, 5.0), "select pg_wal_replay_resume()")
            elif kind == "stop":
                self._kill_replica()
            elif kind == "hang":
                with self.reads.holding("pull_changes"):
                    await asyncio.sleep(self.rng.uniform(0.3, 2.0))
            else:
                # By mistake: the primary goes on, and devices meet both.
                await self._at_replica("select pg_promote(wait_seconds => 5)")
                await asyncio.sleep(self.rng.uniform(0.2, 1.0))
                self._kill_replica()

    async def _hurt_as(self, kind: str) -> None:
        """One of the faults of every world."""
        self._fates = Deck({kind: 1}, self.rng)
        await super().hurt()

    def _kill_replica(self) -> None:
        """Kill -9; the supervisor starts another one, which is a fresh copy."""
        part = self.stack.status.parts.get("replica")
        with suppress(ProcessLookupError):
            if part is not None and part.pid is not None:
                os.kill(part.pid, signal.SIGKILL)

    async def _at_replica(self, statement: Any) -> None:
        """Run a statement at the replica, as the superuser."""
        status = self.stack.status
        port = conninfo_to_dict(status.replica_db_url)["port"]
        url = make_conninfo(status.admin_db_url, port=port)
        async with await psycopg.AsyncConnection.connect(
            url, autocommit=True, connect_timeout=2
        ) as connection:
            await connection.execute(statement)

    def _later(self, seconds: float, statement: str) -> None:
        async def run() -> None:
            await asyncio.sleep(seconds)
            with suppress(psycopg.Error):
                await self._at_replica(statement)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def fail_over(self) -> None:
        """Lose the primary, and go on with the replica in its place, some seconds behind."""
        before = self.given_out()

        async def is_there() -> bool:
            with suppress(psycopg.OperationalError):
                await self._at_replica("select pg_wal_replay_resume() where pg_is_in_recovery()")
                await self._at_replica("select pg_promote()")
                return True
            return False

        for device in self.devices:
            device.proxy.faults.is_cut = True
            await device.proxy.cut_sockets()
        self.reads.faults.is_cut = True
        sent = known_sends(self.db_url)
        await until(is_there, 60)
        await self.stack.down()
        state = State.load(self.stack.home)
        assert state is not None
        data = Postgres(state).data
        shutil.rmtree(data)
        data.with_name("replica").rename(data)
        self.stack = Stack(self.stack.home, port=0, db_port=0, replicas=1)
        await self.stack.up()
        sent |= self.everything_sent()
        # What the replica had not received is gone, as it is with every failover to one.
        self.forgiven |= sent - known_sends(self.db_url)
        self.written.forget()
        self._undone = tuple(  # type: ignore[assignment]
            undone + was - now
            for undone, was, now in zip(self._undone, before, self.given_out(), strict=True)
        )
        self.reads.upstream = self.stack.status.read_url
        self.reads.faults.is_cut = False
        for device in self.devices:
            device.proxy.upstream = self.stack.status.api_url
            device.proxy.faults.is_cut = False
        self.faults["failover"] += 1
