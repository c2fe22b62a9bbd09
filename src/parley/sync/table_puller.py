"""Keeping the project's own tables in step: pull what is told of, a page of each table in turn.

What was announced may be newer than the snapshot of the pull that asks for it, so a pull that
brings nothing is repeated once. Announcements that got lost are made up for when heads are
compared: all tables are asked for then.

An announcement has no number, so only the primary is sure to have what it tells of. A read replica
may go on with a first fetch, since the primary answers after its last page, and may tell what
changed where nothing but the time is a reason to ask.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from parley.errors import InvalidInput, ParleyError, SignInRequired, TableNotFound
from parley.sync.backoff import Backoff
from parley.sync.batches import BatchSize
from parley.sync.change import Change
from parley.sync.errors import StoreDamaged, SyncError
from parley.sync.store import LOCAL_RETRY_S
from parley.sync.table_steps import TableAnswer
from parley.sync.table_store import TableStore

ROWS_MOST = 1000
AGAIN_S = 0.3
"""How long after an announcement that a pull brought nothing of it is asked again."""
RETRY_LEAST_S, RETRY_MOST_S = 1.0, 300.0

logger = logging.getLogger(__name__)


class TableRemote(Protocol):
    """What is needed of a server. It raises Unreachable, SignInRequired, ApiError."""

    async def pull_table(
        self, name: str, cursor: Mapping[str, Any], *, may_lag: bool
    ) -> TableAnswer:
        """Call ``pull_table``; with ``may_lag`` a replica may answer that has all of the cursor."""

    @property
    def now_us(self) -> int | None:
        """The server's time in microseconds since 1970; None while it is not known."""


@dataclass(slots=True)
class Asking:
    """What is known of one table: whether and when to ask for it, and how much at once."""

    wait: Backoff
    size: BatchSize = field(default_factory=BatchSize)
    is_wanted: bool = True
    may_lag: bool = False
    was_heard: bool = False
    due: float = 0.0


class TablePuller:
    """The tables of one copy and its server. ``hear`` and ``want`` may be called at any time."""

    def __init__(
        self,
        store: TableStore,
        remote: TableRemote,
        me: Callable[[], str | None],
        *,
        emit: Callable[[list[Change]], None],
        on_owners: Callable[[], None],
        rng: random.Random,
    ) -> None:
        """``emit`` is called with what changed, after it was committed.

        ``on_owners`` is called when other tenants have rows than before.
        """
        self._store = store
        self._remote = remote
        self._me = me
        self._emit = emit
        self._on_owners = on_owners
        self._asking = {
            name: Asking(Backoff(RETRY_LEAST_S, RETRY_MOST_S, rng)) for name in store.names
        }
        self._wake = asyncio.Event()
        self._pulling = asyncio.Lock()
        self.dashboards = store.dashboards
        """The tenants whose topics tell of these tables."""

    def hear(self, payload: Any) -> None:
        """Take an announcement that tables changed."""
        tables = payload.get("tables") if isinstance(payload, Mapping) else None
        for name in tables if isinstance(tables, list) else ():
            if isinstance(name, str) and name in self._asking:
                self._asking[name].was_heard = True
                self.want([name])

    def want(self, names: Iterable[str] | None = None, *, may_lag: bool = False) -> None:
        """Ask for some tables soon, or for all; with ``may_lag`` for no reason but the time."""
        for name in self._asking if names is None else names:
            asking = self._asking[name]
            asking.may_lag = may_lag and (asking.may_lag or not asking.is_wanted)
            asking.is_wanted = True
        self._wake.set()

    async def run(self) -> None:
        """Keep in step until cancelled. Raises SignInRequired on a lost session, StoreDamaged."""
        while True:
            self._wake.clear()
            names = [name for name, each in self._asking.items() if each.is_wanted]
            due = [name for name in names if self._asking[name].due <= now()]
            if due:
                try:
                    await self._catch_up(due)
                except (SignInRequired, StoreDamaged):
                    raise
                except SyncError as error:
                    logger.debug("waiting for the local copy: %s", error)
                    await asyncio.sleep(LOCAL_RETRY_S)
                continue
            soonest = min((self._asking[name].due for name in names), default=None)
            with suppress(TimeoutError):
                wait_s = None if soonest is None else max(soonest - now(), 0)
                await asyncio.wait_for(self._wake.wait(), wait_s)

    async def sync(self) -> None:
        """Pull all that is missing of all tables, now.

        Raises Unreachable, SignInRequired, StoreUnusable, and what a table failed with.
        """
        self.want()
        errors = await self._catch_up(list(self._asking))
        if errors:
            raise errors[0]

    async def _catch_up(self, names: Collection[str]) -> list[ParleyError]:
        """Pull those that are wanted to their end; returns what failed, and is left for later.

        Raises SignInRequired, and StoreUnusable with the tables still wanted.
        """
        errors = []
        async with self._pulling:
            waiting = deque(name for name in names if self._asking[name].is_wanted)
            while waiting:
                name = waiting.popleft()
                asking = self._asking[name]
                try:
                    if await self._pull(name, asking):
                        waiting.append(name)
                    else:
                        asking.wait.reset()
                        asking.due = 0.0
                except (SignInRequired, SyncError):
                    self.want([name])
                    raise
                except ParleyError as error:
                    logger.warning("%s cannot be pulled now: %r", name, error)
                    self.want([name])
                    asking.size.shrink()
                    asking.due = now() + asking.wait.next()
                    errors.append(error)
            if self._remote.now_us is not None:
                self._tell(self._store.prune(self._remote.now_us))
            self._look_at_owners()
        return errors

    async def _pull(self, name: str, asking: Asking) -> bool:
        """Pull a page; tells whether to pull again at once."""
        may_lag, was_heard = asking.may_lag, asking.was_heard
        asking.was_heard = was_heard and may_lag
        asking.is_wanted = False
        asked = self._store.cursor(name)
        cursor = asked.asking(asking.size.of(ROWS_MOST))
        try:
            answer = await self._remote.pull_table(name, cursor, may_lag=may_lag)
        except (TableNotFound, InvalidInput):
            # It is not to be seen any more, or not in this way: nothing of it stays, not even how
            # far it went.
            self._tell(self._store.drop(name))
            raise
        changes = self._store.apply(asked, answer, self._me() or "")
        if changes is None:
            self.want([name])
            return True
        self._tell(changes)
        asking.size.grow()
        if was_heard and not may_lag and not answer.steps:
            asyncio.get_running_loop().call_later(AGAIN_S, self.want, [name])
        if answer.more:
            # The last page is never late, so it has what is announced meanwhile.
            asking.is_wanted, asking.may_lag = True, answer.may_go_on_late
        return answer.more

    def _look_at_owners(self) -> None:
        dashboards = self._store.dashboards
        if dashboards != self.dashboards:
            self.dashboards = dashboards
            self._on_owners()

    def _tell(self, changes: list[Change]) -> None:
        if changes:
            self._emit(changes)


def now() -> float:
    """The time of the loop."""
    return asyncio.get_running_loop().time()
