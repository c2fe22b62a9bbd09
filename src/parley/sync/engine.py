"""Keeping the copy in step: apply what joins on, pull the rest, and repeat until told.

A broadcast is a pull that arrived early. It is applied only if it begins where the copy ends;
otherwise all it says is how far the stream has come, and that is remembered until a pull got
there: a step can arrive before a new snapshot of the database sees it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from parley.errors import ParleyError, SignInRequired
from parley.sync.backoff import Backoff, Throttle
from parley.sync.batches import ROOMS_MOST, Batches, BatchSize
from parley.sync.change import Change
from parley.sync.errors import StoreDamaged, StoreUnusable, SyncError
from parley.sync.profiles import Profiles
from parley.sync.remote import Remote
from parley.sync.rows import refused
from parley.sync.steps import HeadsByRoom, Step
from parley.sync.store import LOCAL_RETRY_S, Store
from parley.sync.targets import OWN, Targets

WINDOW = 200
FIRST_WINDOW = 20
MANY_ROOMS = 50
TOLD_LEAST_S = 0.01
TOLD_MOST_S = 2.0
RETRY_LEAST_S, RETRY_MOST_S = 0.25, 30.0
MOST_DOUBTS = 3
"""How often heads are compared, when pulls do not get there, before the server is doubted."""
UNKNOWN_ROOMS_S = 1.0
"""How often, at most, steps of rooms that are not here make it compare heads."""

logger = logging.getLogger(__name__)


class Engine:
    """One account's copy and its server. ``hear`` and ``tell`` may be called at any time."""

    def __init__(
        self,
        store: Store,
        remote: Remote,
        emit: Callable[[list[Change]], None],
        on_heads: Callable[[HeadsByRoom, Mapping[str | None, int], bool], None] = (
            lambda heads, news, may_lag: None
        ),
        *,
        rng: random.Random | None = None,
        rooms_most: int = ROOMS_MOST,
    ) -> None:
        """``emit`` is called with what changed, after it was committed.

        ``on_heads`` is called with the heads, the numbers of streams that only they told of, and
        whether nothing but the time was a reason to compare them.
        A pull names at most ``rooms_most`` rooms.
        """
        self._store = store
        self._remote = remote
        self._emit = emit
        self._on_heads = on_heads
        self._rng = rng or random.Random()  # noqa: S311
        self._targets = Targets()
        self._profiles = Profiles(store, remote, emit)
        self._batches = Batches(self._rng, rooms_most)
        self._heads_wanted = True
        self._heads_may_lag = False
        self._names_wanted = True
        self._wake = asyncio.Event()
        self._pulling = asyncio.Lock()
        self._hear_of_unknown_room = Throttle(self.want_heads, UNKNOWN_ROOMS_S)

    def hear(self, payload: Any) -> None:
        """Take a step from a topic: applied at once if it joins on, else pulled."""
        step = Step.read(payload)
        if step is None:
            return
        try:
            self._take(step, payload.get("user_id"))
        except ParleyError as error:
            # Nobody waits for this; pulling meets the same trouble, and gets over it.
            logger.debug("pulling instead of applying: %r", error)
            self.want_heads()

    def _take(self, step: Step, user_id: Any) -> None:
        if step.room_id is None and user_id != self._store.me:
            return
        changes = self._store.apply_step(step)
        if changes is None:
            self.tell(step.room_id, step.to)
        else:
            if changes:
                self._emit(changes)
            self._profiles.note(changes)
            self._wake.set()

    def tell(self, room_id: str | None, to: int) -> None:
        """Note that a stream has come this far; None is the own stream."""
        cursor = self._store.cursor()
        if room_id is not None and room_id not in cursor.rooms:
            # Somebody let us in, and the step that says so did not arrive.
            self._hear_of_unknown_room.ask()
            return
        have = cursor.user if room_id is None else cursor.rooms[room_id]
        if have is None or have < to:
            self._targets.tell(room_id, to)
            self._wake.set()

    def expect(self, room_id: str | None, to: int) -> None:
        """Note that a stream is this far, without asking for it: its step is on the way."""
        self._targets.expect(room_id, to)

    def want_heads(self) -> None:
        """Compare heads soon."""
        self._heads_wanted, self._heads_may_lag = True, False
        self._wake.set()

    def glance(self) -> None:
        """Compare heads soon, for no reason but the time: a read replica may answer."""
        self._heads_may_lag = self._heads_may_lag or not self._heads_wanted
        self._heads_wanted = True
        self._wake.set()

    async def run(self) -> None:
        """Keep in step until cancelled. Raises SignInRequired on a lost session, StoreDamaged."""
        retry = Backoff(RETRY_LEAST_S, RETRY_MOST_S, self._rng)
        while True:
            try:
                self._store.probe()
                await self._wake_or_behind()
                await self.catch_up()
                retry.reset()
            except (SignInRequired, StoreDamaged):
                raise
            except StoreUnusable as error:
                logger.debug("waiting for the local copy: %s", error)
                await asyncio.sleep(LOCAL_RETRY_S)
            except ParleyError as error:
                # An answer that makes no sense is as good as none.
                logger.warning("pulling again later: %r", error)
                await asyncio.sleep(retry.next())

    @property
    def due(self) -> float | None:
        """When a room that failed is to be asked for again, in the loop's time."""
        return self._batches.due

    async def _wake_or_behind(self) -> None:
        is_wanted = self._heads_wanted or self._names_wanted or self._profiles.are_wanted
        if not is_wanted and not self._behind():
            self._wake.clear()
            wait = None if self.due is None else max(self.due - now(), 0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

    async def sync(self) -> None:
        """Compare heads now and pull all that is missing.

        Raises Unreachable, SignInRequired, and what a room failed with that cannot be pulled.
        """
        self._heads_wanted, self._heads_may_lag = True, False
        self._batches.try_all()
        await self.catch_up()
        if self._batches.error is not None:
            raise self._batches.error

    async def catch_up(self) -> None:
        """Pull until every stream is where it was told to be. Raises ParleyError.

        Rooms that cannot be pulled are left for later.
        """
        async with self._pulling:
            wait = Backoff(TOLD_LEAST_S, TOLD_MOST_S, self._rng)
            doubts = 0
            while True:
                if self._heads_wanted:
                    await self._compare_heads()
                behind = self._behind()
                if not behind and not self._names_wanted:
                    return await self._profiles.fetch()
                if await self._pull(behind):
                    wait.reset()
                    continue
                if self._behind():
                    if wait.is_exhausted:
                        # Nothing gets there: whoever told us so was of another history.
                        await self._compare_heads(forget=True)
                        doubts += 1
                    if doubts > MOST_DOUBTS:
                        raise refused("it never brings what the heads tell of")
                    await asyncio.sleep(wait.next())

    def _behind(self) -> list[str | None]:
        """The streams to ask for now: not where they were told to be, or not counted."""
        behind = self._targets.behind(self._store.cursor())
        self._batches.retain(behind)
        return [each for each in behind if self._batches.is_due(each, now())]

    async def _pull(self, behind: Iterable[str | None]) -> bool:
        """Pull once; tells whether anything moved."""
        rooms, size = self._batches.choose([each for each in behind if each is not None])
        try:
            has_moved = await self._ask(rooms, size)
        except (SignInRequired, SyncError):
            # What is in the way of the file is no fault of a room.
            raise
        except ParleyError as error:
            if not self._batches.fail(rooms, size):
                raise
            # If the server answers without this room, the others need not wait for it.
            await self._ask([], BatchSize())
            logger.warning("room %s cannot be pulled now: %r", rooms[0], error)
            self._batches.defer(rooms[0], error, now())
            return True
        self._batches.succeed(rooms, size)
        return has_moved

    async def _ask(self, rooms: list[str], size: BatchSize) -> bool:
        asked = self._store.cursor(rooms)
        unknown = sum(rev is None for rev in self._store.cursor().rooms.values())
        window = size.of(FIRST_WINDOW if unknown > MANY_ROOMS else WINDOW)
        answer = await self._remote.pull(
            asked.asking(window, size.rows), self._targets.known(asked)
        )
        if answer.user is None:
            if asked.timeline in (None, answer.timeline):
                raise refused("there is no own stream in it")
            self._store.start_over(answer.timeline)
            self._targets.clear()
            self._heads_wanted, self._heads_may_lag = True, False
            return False
        if changes := self._store.apply_answer(asked, answer):
            self._emit(changes)
        self._names_wanted = False
        self._targets.note_answer([OWN, *rooms], answer.more)
        return asked.has_moved(self._store.cursor(rooms))

    async def _compare_heads(self, *, forget: bool = False) -> None:
        # Whoever wants heads while these are on their way wants newer ones.
        may_lag = self._heads_may_lag and not forget
        self._heads_wanted = self._heads_may_lag = False
        try:
            cursor = self._store.cursor()
            least = self._targets.known(cursor) if may_lag else None
            heads = await self._remote.heads(cursor.timeline, least)
        except BaseException:
            self._heads_wanted = True
            raise
        cursor = self._store.cursor()
        if cursor.timeline is not None and heads.timeline != cursor.timeline:
            self._store.start_over(heads.timeline)
            self._targets.clear()
            cursor = self._store.cursor()
        if forget:
            self._targets.clear()
            if cursor.rooms.keys() - heads.rooms.keys() and cursor.user == heads.user.rev:
                # We hold rooms that the server does not let us into: it did not say so, or we
                # were told of them by mistake.
                self._store.distrust(None, cursor.user)
                cursor = self._store.cursor()
        news = self._targets.compare(heads, cursor)
        for stream, have in self._targets.doubtful(heads, cursor, now(), TOLD_MOST_S):
            self._store.distrust(stream, have)
        # What no stream tells of is asked for whenever the streams are compared.
        self._names_wanted = True
        self._on_heads(heads, news, may_lag)


def now() -> float:
    """The time of the loop."""
    return asyncio.get_running_loop().time()
