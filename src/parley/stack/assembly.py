"""The whole stack: puts the parts together, in the order in which they need each other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import psycopg

from parley import __version__
from parley.errors import AlreadyRunning, NotRunning, PortTaken, StackError
from parley.project import Project
from parley.stack.front_door import FrontDoor
from parley.stack.functions import Functions
from parley.stack.lite import Lite
from parley.stack.lock import hold_parts_lock, hold_supervisor_lock
from parley.stack.migrations import edited_migrations, push_migrations
from parley.stack.port import choose_port
from parley.stack.postgres import Postgres
from parley.stack.profile import RealtimeProfile
from parley.stack.progress import Progress
from parley.stack.replica import Replica
from parley.stack.state import State, find_home, write_private
from parley.stack.status import PartStatus, Status, status_of
from parley.stack.supervisor import Health, Supervisor

API_PORT = 54321
DB_PORT = 54322
RESET = "Run 'parley reset' to start from it."


class Stack:
    """One local stack, supervised by this process.

    ``data`` is the state folder (else ``PARLEY_HOME``, else ``.parley``). A port of None is the
    remembered one or Supabase's own, 0 is any free one. ``replicas`` is how many read replicas are
    started, none or one. ``realtime`` is plain, hosted or lossy, by
    default the remembered one or plain. ``project`` is the folder with ``supabase/``, by default
    the one around the current folder. Raises StackError for another profile.
    """

    def __init__(
        self,
        data: Path | None = None,
        *,
        port: int | None = None,
        db_port: int | None = None,
        replicas: int = 0,
        realtime: str | None = None,
        project: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.home = find_home(data)
        self.project = Project(project) if project else Project.find()
        self._ports = (port, db_port)
        self._has_replica = bool(replicas)
        self._profile = None if realtime is None else RealtimeProfile.named(realtime)
        self._progress = progress or Progress()
        self._supervisor = Supervisor(self._record)
        self._versions: dict[str, str] = {}
        self._ready = False
        self._state: State | None = None
        self._running: contextlib.AsyncExitStack | None = None

    async def up(self, before_services: Callable[[Stack], Awaitable[None]] | None = None) -> Status:
        """Start everything and return when it is ready.

        ``before_services`` is awaited when the database is migrated and nobody is connected to it.
        Raises StackError; nothing runs then.
        """
        if self._running is not None:
            raise AlreadyRunning("This stack is up already.", "Stop it with down() first.")
        async with contextlib.AsyncExitStack() as running:
            running.enter_context(hold_supervisor_lock(self.home))
            lock = await running.enter_async_context(hold_parts_lock(self.home))
            state = self._state = self._open_state()
            running.push_async_callback(self._stop)
            self._record()
            lite = Lite(state, self.project, choose_port(0, "lite", "--port"))
            postgres = await self._start_database(state, lite, lock)
            if before_services is not None:
                await before_services(self)
            await self._start_services(state, postgres, lite, lock)
            self._ready = True
            self._record()
            self._running = running.pop_all()
        return self.status

    async def down(self) -> None:
        """Stop everything. Does nothing when nothing runs."""
        if self._running is not None:
            running, self._running = self._running, None
            await running.aclose()

    @property
    def status(self) -> Status:
        """Urls, keys and parts. Raises NotRunning before the first ``up``."""
        if self._state is None:
            raise NotRunning("This stack has not been started.", "Await up() first.")
        parts = {
            name: PartStatus(
                health=str(watch.health),
                version=self._versions[name],
                pid=watch.process.pid,
                restarts=watch.restarts,
                log=str(watch.process.part.log),
            )
            for name, watch in self._supervisor.watches.items()
        }
        ready = self._ready and all(part.health == Health.READY for part in parts.values())
        return status_of(self._state, running=bool(parts), ready=ready, parts=parts)

    def _open_state(self) -> State:
        state = State.load(self.home) or State.fresh(self.home)
        port, db_port = self._ports
        state.api_port = settle_port(port, state.api_port, API_PORT, "the front door", "--port")
        state.db_port = settle_port(db_port, state.db_port, DB_PORT, "Postgres", "--db-port")
        if self._has_replica:
            state.read_port = settle_port(0, state.read_port, 0, "the read replica", "--port")
            state.replica_db_port = settle_port(0, state.replica_db_port, 0, "it", "--db-port")
        state.realtime = self._profile or state.realtime
        state.save()
        return state

    async def _start_database(self, state: State, lite: Lite, lock: int) -> Postgres:
        step = self._progress.step
        postgres = await asyncio.to_thread(Postgres, state)
        self._versions["postgres"] = postgres.version
        is_new = not postgres.is_complete
        with step("Postgres"):
            if is_new:
                await asyncio.to_thread(postgres.create)
            postgres.forget_leftover()
            await self._supervisor.keep(lambda: postgres.begin(lock))
        if is_new:
            with step("Platform: roles, Realtime, Auth, Storage"):
                await postgres.install_platform()
                await lite.make_schemas(lock)
                postgres.finish()
        elif not postgres.is_current:
            self._progress.warn(f"platform.sql has changed since this database was made. {RESET}")
        with step("Migrations"):
            await push_migrations(state, self.project)
            await keep_partitions(state)
        for name in edited_migrations(state, self.project):
            self._progress.warn(f"The migration {name} was edited after it was applied. {RESET}")
        return postgres

    async def _start_services(
        self, state: State, postgres: Postgres, lite: Lite, lock: int
    ) -> None:
        functions = Functions(state, self.project, choose_port(0, "functions", "--port"))
        has_functions = functions.folder.is_dir()
        functions_port = functions.port if has_functions else 0
        replica_port = choose_port(0, "the read replica", "--port") if self._has_replica else 0
        door = FrontDoor(state, lite.port, functions_port, replica_port, lite.file_bytes)
        self._versions |= {
            "lite": lite.version,
            "gateway": __version__,
            "functions": functions.version,
            "replica": postgres.version,
            "replica-lite": lite.version,
        }

        async def start_lite() -> None:
            with self._progress.step("REST, Auth, Storage"):
                await self._supervisor.keep(lambda: lite.begin(lock))

        async def start_door() -> None:
            with self._progress.step("Realtime, front door"):
                await self._supervisor.keep(lambda: door.begin(lock))

        async def start_functions() -> None:
            with self._progress.step("Edge Functions"):
                await self._supervisor.keep(lambda: functions.begin(lock))

        async def start_replica() -> None:
            replica = Replica(postgres)
            reads = Lite(state, self.project, replica_port, is_of_replica=True)
            with self._progress.step("Read replica"):
                await self._supervisor.keep(lambda: replica.begin(lock))
                await self._supervisor.keep(lambda: reads.begin(lock))

        try:
            async with asyncio.TaskGroup() as group:
                if self._has_replica:
                    group.create_task(start_replica())
                if has_functions:
                    group.create_task(start_functions())
                group.create_task(start_lite())
                group.create_task(start_door())
        except* StackError as failures:
            failure = failures.exceptions[0]
        else:
            return
        raise failure

    async def _stop(self) -> None:
        self._ready = False
        await self._supervisor.stop("gateway", "lite", "functions", "replica-lite")
        await self._supervisor.stop("replica")
        await self._supervisor.stop("postgres")
        if self._state is not None:
            self._state.running_file.unlink(missing_ok=True)

    def _record(self) -> None:
        if self._state is None:
            return
        status = self.status
        record = {
            "pid": os.getpid(),
            "ready": status.ready,
            "parts": {name: asdict(part) for name, part in status.parts.items()},
        }
        write_private(self._state.running_file, json.dumps(record, indent=2) + "\n")


def settle_port(wanted: int | None, remembered: int, usual: int, purpose: str, option: str) -> int:
    """Choose a port: the wanted one, else the remembered, else the usual. Raises PortTaken."""
    if wanted == 0:
        with contextlib.suppress(PortTaken):
            return choose_port(remembered, purpose, option)
        return choose_port(0, purpose, option)
    return choose_port(wanted or remembered or usual, purpose, option)


async def keep_partitions(state: State) -> None:
    """Create the partitions of the coming days once; Realtime's janitor creates the later ones."""
    async with await psycopg.AsyncConnection.connect(state.admin_db_url) as connection:
        await connection.execute("select _realtime.keep_partitions()")
