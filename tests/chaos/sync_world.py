"""A stack, its people with devices behind bad lines, and everything that can happen to them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from parley.stack import Stack
from parley.stack.postgres import Postgres
from parley.stack.state import State
from tests.chaos.deck import Deck
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.sync_checker import Findings, compare_copy
from tests.chaos.sync_numbers import (
    begin_noting,
    check_numbers,
    check_sends,
    check_twice,
    count_deadlocks,
    given_out,
)
from tests.chaos.sync_writers import Writer, Written
from tests.e2e.sync_people import PASSWORD, Account, sign_up

QUIET_S = 40.0
DAY_S = 86_400.0
SKEWS_S = (0.0, -DAY_S, DAY_S, 3600.0, -3600.0)
FATES = {
    "kill device": 6,
    "set clock": 2,
    "cut sockets": 4,
    "cut line": 3,
    "mute line": 2,
    "bad line": 6,
    "gateway": 1,
    "lite": 1,
    "postgres": 1,
}
PROFILES = ("plain", "lossy")
LAST_LINES = 20


@dataclass
class Device:
    """One person's device: a process that comes and goes, a file that stays."""

    account: Account
    proxy: FaultProxy
    store: Path
    journal: Path
    log: Path
    options: dict[str, Any]
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.chaos.sync_device",
                json.dumps(self.options),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )

    def tell(self, word: str) -> None:
        """Let it work or rest."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.write(f"{word}\n".encode())

    async def kill(self) -> None:
        """Kill -9."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            self.process = None

    async def begin_anew(self, naive: str) -> None:
        """A new copy, kept by a client that makes this mistake (none: ours)."""
        await self.kill()
        for path in (self.store, self.journal):
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        self.options["naive"] = naive
        await self.start()

    def noted(self, what: str) -> set[str]:
        """The client_ids in the journal with this word."""
        if not self.journal.exists():
            return set()
        lines = [line.split() for line in self.journal.read_text().splitlines()]
        return {line[1] for line in lines if len(line) == 3 and line[0] == what}


@dataclass
class Verdict:
    """What was found at the quiet points."""

    missed: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    quiet_points: int = 0
    longest_s: float = 0.0

    def __bool__(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missed or self.duplicated or self.surplus or self.lost or self.wrong)


class World:
    """Everything of one run. ``chance`` decides what happens, and its seed is printed."""

    def __init__(self, stack: Stack, seed: int, folder: Path) -> None:
        self.stack = stack
        self.chance = random.Random(seed)
        self.folder = folder
        self.devices: list[Device] = []
        self.rooms: list[str] = []
        self.written = Written()
        self.verdict = Verdict()
        self.faults: Counter[str] = Counter()
        self.forgiven: set[str] = set()
        self.profile = PROFILES[0]
        self._fates = Deck(FATES, self.chance)
        self._writing = asyncio.Event()
        self._copied: set[str] | None = None
        self._undone = (0, 0)

    @property
    def db_url(self) -> str:
        """The database, as the developer's role."""
        return self.stack.status.db_url

    async def settle(self, exits: AsyncExitStack, naive: str, names: tuple[str, ...]) -> None:
        """Sign people up and give each a device."""
        accounts = await asyncio.gather(*(sign_up(self.stack.status, name) for name in names))
        for number, account in enumerate(accounts):
            proxy = FaultProxy(self.stack.status.api_url, self.chance.randrange(10**9))
            await exits.enter_async_context(proxy.serving())
            store, journal, log = (
                self.folder / f"{account.name}.{each}" for each in ("db", "journal", "log")
            )
            options = {
                "url": proxy.url,
                "key": self.stack.status.publishable_key,
                "email": account.email,
                "password": PASSWORD,
                "store": str(store),
                "journal": str(journal),
                "name": account.name,
                "seed": self.chance.randrange(10**9),
                "every_s": 0.2,
                "skew_s": SKEWS_S[number % len(SKEWS_S)],
                "naive": naive,
                "public": [],
            }
            device = Device(account, proxy, store, journal, log, options)
            exits.push_async_callback(device.kill)
            self.devices.append(device)

    async def make_rooms(self, fanout_limit: int, sends_per_second: int) -> None:
        """Small, large, public, since_join and direct rooms, owned by the first person.

        The last person is in none of them.
        """
        ids = [each.account.user_id for each in self.devices]
        begin_noting(self.stack.status.admin_db_url)
        with psycopg.connect(self.db_url) as connection:
            connection.execute(
                "update chat_private.settings"
                " set fanout_limit = %s, sends_per_second = %s, send_burst = 20 * %s",
                [fanout_limit, sends_per_second, sends_per_second],
            )
        with psycopg.connect(self.db_url) as connection:
            connection.execute(
                "select set_config('request.jwt.claims', %s, true),"
                " set_config('role', 'authenticated', true)",
                [json.dumps({"sub": ids[0], "role": "authenticated"})],
            )
            plans = [
                ("small", ids[1:3], False, "all"),
                ("young", ids[1:3], False, "since_join"),
                ("public", ids[1:2], True, "all"),
                ("large", ids[1:-1], False, "all"),
                ("crowd", ids[1:-1], True, "since_join"),
            ]
            for name, people, is_public, history in plans:
                row = connection.execute(
                    "select id from chat.create_room(%s, member_ids => %s::uuid[],"
                    " is_public => %s, history => %s)",
                    [name, people, is_public, history],
                ).fetchone()
                assert row is not None
                self.rooms.append(str(row[0]))
                if is_public:
                    for device in self.devices:
                        device.options["public"].append(str(row[0]))
            row = connection.execute("select id from chat.open_direct(%s)", [ids[1]]).fetchone()
            assert row is not None
            self.rooms.append(str(row[0]))

    @asynccontextmanager
    async def writing(self, writers: int, every_s: float) -> AsyncIterator[None]:
        """Let people write over SQL in the background."""
        people = [each.account.user_id for each in self.devices]
        tasks = [
            asyncio.create_task(
                Writer(
                    self.db_url,
                    people,
                    self.rooms,
                    self.written,
                    random.Random(self.chance.randrange(10**9)),
                    every_s,
                    self._writing,
                ).run()
            )
            for _ in range(writers)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def work(self, seconds: float, hurt_every_s: float | None) -> None:
        """Let everything happen for a while."""
        self._writing.set()
        for device in self.devices:
            if device.process is None:
                await device.start()
            device.tell("work")
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if hurt_every_s is None:
                await asyncio.sleep(left)
            else:
                await asyncio.sleep(min(left, self.chance.expovariate(1 / hurt_every_s)))
                await self.hurt()

    async def hurt(self) -> None:
        """One fault."""
        device = self.chance.choice(self.devices)
        faults = device.proxy.faults
        kind = self._fates.draw()
        self.faults[kind] += 1
        if kind == "kill device":
            await device.kill()
            await device.start()
            device.tell("work")
        elif kind == "set clock":
            device.options["skew_s"] = self.chance.choice(SKEWS_S)
            device.tell(f"skew {device.options['skew_s']}")
        elif kind == "cut sockets":
            await device.proxy.cut_sockets()
        elif kind == "cut line":
            faults.is_cut = True
            await device.proxy.cut_sockets()
            await asyncio.sleep(self.chance.uniform(0.2, 1.5))
            faults.is_cut = False
        elif kind == "mute line":
            faults.is_silent = not faults.is_silent
        elif kind == "bad line":
            faults.drop, faults.duplicate, faults.reorder = (
                self.chance.choice((0.0, 0.1, 0.4)) for _ in range(3)
            )
            faults.delay_s = self.chance.choice((0.0, 0.05))
            faults.lose = self.chance.choice((0.0, 0.0, 0.2))
        else:
            # SIGQUIT is Postgres' immediate shutdown; the others get no chance to say goodbye.
            pid = self.stack.status.parts[kind].pid
            assert pid is not None
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT if kind == "postgres" else signal.SIGKILL)

    async def quiet(self, within_s: float = QUIET_S, *, heal: bool = True) -> bool:
        """Stop everything, and compare until all copies agree or the time is up."""
        self._writing.clear()
        for device in self.devices:
            device.tell("rest")
            if heal:
                faults = device.proxy.faults
                faults.drop = faults.duplicate = faults.reorder = 0.0
                faults.delay_s = faults.lose = 0.0
                faults.is_silent = False
        began = time.monotonic()
        found: list[Findings] = []
        problems: list[str] = []
        while time.monotonic() - began < within_s:
            await asyncio.sleep(0.3)
            try:
                found = [await self.look(each) for each in self.devices]
                problems = self.unsettled()
            except (psycopg.OperationalError, sqlite3.OperationalError) as error:
                problems = [f"cannot look: {error}"]
                continue
            if not any(found) and not problems:
                break
        self.verdict.quiet_points += 1
        self.verdict.longest_s = max(self.verdict.longest_s, time.monotonic() - began)
        for each in found:
            self.verdict.missed += each.missed
            self.verdict.surplus += each.surplus
            self.verdict.duplicated += each.duplicated
        self.verdict.duplicated += check_twice(self.db_url)
        self.verdict.wrong += problems + check_numbers(self.db_url)
        acknowledged = self.written.acknowledged.union(
            *(each.noted("acknowledged") for each in self.devices)
        )
        self.verdict.lost += check_sends(self.db_url, acknowledged - self.forgiven)
        return not any(found)

    async def look(self, device: Device) -> Findings:
        """Compare one copy, without stopping the proxies of the others."""
        if not device.store.exists():
            return Findings(missed=[f"{device.account.name} has no copy yet"])
        return await asyncio.to_thread(
            compare_copy,
            device.store,
            self.db_url,
            device.account.user_id,
            device.account.name,
        )

    def unsettled(self) -> list[str]:
        """What was done on a device and is neither on the server nor reported."""
        problems = []
        for device in self.devices:
            missing = set(check_sends(self.db_url, device.noted("did") - self.forgiven))
            with closing(sqlite3.connect(device.store)) as copy:
                rows = copy.execute("select client_id, state from outbox").fetchall()
            reported = {row[0] for row in rows if row[1] in ("failed", "discarded")}
            waiting = [row[0] for row in rows if row[1] in ("pending", "sent")]
            problems += [f"{device.account.name} lost {each}" for each in missing - reported]
            problems += [f"{device.account.name} still waits for {each}" for each in waiting]
        return problems

    async def copy_database(self) -> None:
        """Stop, and put a copy of the database aside; go on with the other Realtime profile."""
        await self._offline(lambda data, aside: shutil.rmtree(aside, ignore_errors=True))
        self._copied = self.everything_sent()

    async def restore_database(self) -> None:
        """Stop, put the copy in the database's place, and begin a new timeline."""
        assert self._copied is not None
        sent, before = self.everything_sent(), self.given_out()

        def put_back(data: Path, aside: Path) -> None:
            shutil.rmtree(data)

        await self._offline(put_back, restore=True)
        with psycopg.connect(self.stack.status.admin_db_url) as connection:
            connection.execute("select chat_private.start_timeline()")
        # What was sent after the copy was made is gone, as it is with every restore.
        self.forgiven |= sent - self._copied
        self.written.forget()
        self._undone = tuple(  # type: ignore[assignment]
            undone + was - now
            for undone, was, now in zip(self._undone, before, self.given_out(), strict=True)
        )
        for device in self.devices:
            device.proxy.faults.is_cut = False
        self.faults["restore"] += 1

    def everything_sent(self) -> set[str]:
        """Every client_id so far."""
        return self.written.acknowledged.union(
            *(each.noted("did") | each.noted("acknowledged") for each in self.devices)
        )

    async def _offline(self, prepare: Any, *, restore: bool = False) -> None:
        for device in self.devices:
            device.proxy.faults.is_cut = True
            await device.proxy.cut_sockets()
        await self.stack.down()
        state = State.load(self.stack.home)
        assert state is not None
        data = Postgres(state).data
        aside = data.with_name("aside")
        prepare(data, aside)
        words = (aside, data) if restore else (data, aside)
        copying = await asyncio.create_subprocess_exec("cp", "-a", *map(str, words))
        assert await copying.wait() == 0
        # The front door keeps its port, and is of the other kind from now on.
        self.profile = PROFILES[1 - PROFILES.index(self.profile)]
        self.faults[f"{self.profile} Realtime"] += 1
        self.stack = Stack(self.stack.home, port=0, db_port=0, realtime=self.profile)
        await self.stack.up()
        for device in self.devices:
            device.proxy.upstream = self.stack.status.api_url
            device.proxy.faults.is_cut = restore

    async def stop(self) -> None:
        """Stop the servers."""
        await self.stack.down()

    def last_words(self) -> str:
        """What the devices and the front door logged last."""
        logs = [device.log for device in self.devices]
        logs.append(Path(self.stack.status.parts["gateway"].log))
        return "".join(
            f"--- {log.name}\n" + "".join(log.open(errors="replace").readlines()[-LAST_LINES:])
            for log in logs
        )

    def given_out(self) -> tuple[int, int]:
        """How many numbers have been given out and epochs begun, restores included."""
        numbers, epochs = given_out(self.db_url)
        return numbers + self._undone[0], epochs + self._undone[1]

    @property
    def deadlocks(self) -> int:
        """How often anybody ran into one, devices included."""
        return count_deadlocks(Path(self.stack.status.parts["postgres"].log))
