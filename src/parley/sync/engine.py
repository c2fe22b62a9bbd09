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
from typing import Any

from parley.errors import ParleyError, SignInRequired
from parley.sync.backoff import Backoff
from parley.sync.change import Change
from parley.sync.remote import Remote
from parley.sync.steps import Heads, Step
from parley.sync.store import Cursor, Store

OWN: None = None
ROOMS_PER_PULL = 1000
ROWS_PER_PULL = 5000
WINDOW = 200
FIRST_WINDOW = 20
MANY_ROOMS = 50
PROFILES_PER_CALL = 200
TOLD_LEAST_S = 0.01
TOLD_MOST_S = 2.0
RETRY_LEAST_S = 0.25
RETRY_MOST_S = 30.0

logger = logging.getLogger(__name__)
Listener = Callable[[list[Change]], None]


class Engine:
    """One account's copy and its server. ``hear`` and ``want`` may be called at any time."""

    def __init__(self, store: Store, remote: Remote, emit: Listener) -> None:
        """``emit`` is called with what changed, after it was committed."""
        self._store = store
        self._remote = remote
        self._emit = emit
        self._told: dict[str | None, int] = {}
        self._heads_wanted = True
        self._wake = asyncio.Event()
        self._pulling = asyncio.Lock()
        self._last_heads: Heads | None = None
        self._above: dict[str | None, tuple[int, float]] = {}
        self._nameless: set[str] = set()
        self._asked_for: set[str] = set()
        self.on_heads: Callable[[Heads, Mapping[str | None, int]], None] = lambda heads, news: None
        """Called with the heads and with what only they told us: the numbers of streams."""

    @property
    def heads(self) -> Heads | None:
        """The newest answer of ``list_heads``; topics are made of its epochs."""
        return self._last_heads

    def hear(self, payload: Any) -> None:
        """Take a step from a topic: applied at once if it joins on, else pulled."""
        step = Step.read(payload)
        if step is None:
            return
        me = self._store.me
        if step.room_id is None and payload.get("user_id") != me:
            return
        changes = self._store.apply_step(step)
        if changes is None:
            self.tell(step.room_id, step.to)
        else:
            self._announce(changes)
            self._nameless |= self._store.unknown_people(changes) - self._asked_for
            self._wake.set()

    def tell(self, room_id: str | None, to: int) -> None:
        """Note that a stream has come this far; None is the own stream."""
        cursor = self._store.cursor()
        if room_id is not None and room_id not in cursor.rooms:
            # Somebody let us in, and the step that says so did not arrive.
            self.want_heads()
            return
        have = cursor.user if room_id is None else cursor.rooms[room_id]
        if have is None or have < to:
            self._told[room_id] = max(to, self._told.get(room_id, 0))
            self._wake.set()

    def want_heads(self) -> None:
        """Compare heads soon."""
        self._heads_wanted = True
        self._wake.set()

    async def run(self) -> None:
        """Keep in step until cancelled. Raises SignInRequired when the session is lost."""
        retry = Backoff(RETRY_LEAST_S, RETRY_MOST_S)
        while True:
            await self._wake_or_behind()
            try:
                await self.catch_up()
                retry.reset()
            except SignInRequired:
                raise
            except (ParleyError, ValueError, KeyError, TypeError) as error:
                # An answer that makes no sense is as good as none.
                logger.warning("pulling again later: %r", error)
                await asyncio.sleep(retry.next())

    async def _wake_or_behind(self) -> None:
        if not self._heads_wanted and not self._nameless and not self._behind():
            self._wake.clear()
            await self._wake.wait()

    async def sync(self) -> None:
        """Compare heads now and pull all that is missing. Raises Unreachable, SignInRequired."""
        self._heads_wanted = True
        await self.catch_up()

    async def catch_up(self) -> None:
        """Pull until every stream is where it was told to be. Raises ParleyError."""
        async with self._pulling:
            wait = Backoff(TOLD_LEAST_S, TOLD_MOST_S)
            while True:
                if self._heads_wanted:
                    await self._compare_heads()
                behind = self._behind()
                if not behind:
                    return await self._fetch_profiles()
                if await self._pull(behind):
                    wait.reset()
                    continue
                if self._behind():
                    if wait.is_exhausted:
                        # Nothing gets there: whoever told us so was of another history.
                        await self._compare_heads(forget=True)
                    await asyncio.sleep(wait.next())

    def _behind(self) -> list[str | None]:
        """The streams that are not where they were told to be."""
        cursor = self._store.cursor()
        streams: dict[str | None, int | None] = {OWN: cursor.user}
        streams.update(cursor.rooms)
        self._told = {
            each: to
            for each, to in self._told.items()
            if each in streams and (streams[each] or 0) < to
        }
        return [each for each, rev in streams.items() if rev is None or each in self._told]

    async def _pull(self, behind: Iterable[str | None]) -> bool:
        """Pull once; tells whether anything moved."""
        rooms = [each for each in behind if each is not None][:ROOMS_PER_PULL]
        asked = self._store.cursor(rooms)
        unknown = sum(rev is None for rev in asked.rooms.values())
        window = FIRST_WINDOW if unknown > MANY_ROOMS else WINDOW
        answer = await self._remote.pull(asked.asking(window, ROWS_PER_PULL))
        if answer.user is None:
            self._store.start_over(answer.timeline)
            self._told.clear()
            self._heads_wanted = True
            return True
        changes = self._store.apply_answer(asked, answer)
        self._announce(changes)
        return answer.more or moved(asked, self._store.cursor(rooms))

    async def _compare_heads(self, *, forget: bool = False) -> None:
        heads = await self._remote.heads()
        self._heads_wanted = False
        cursor = self._store.cursor()
        if cursor.timeline is not None and heads.timeline != cursor.timeline:
            self._store.start_over(heads.timeline)
            self._told.clear()
            cursor = self._store.cursor()
        if forget:
            self._told.clear()
        self._last_heads = heads
        heads_of: dict[str | None, int] = {
            room_id: head.rev for room_id, head in heads.rooms.items() if room_id in cursor.rooms
        }
        heads_of[OWN] = heads.user.rev
        news: dict[str | None, int] = {}
        for stream, head in heads_of.items():
            have = cursor.user if stream is None else cursor.rooms[stream]
            if have is not None and have < head and self._told.get(stream, 0) < head:
                news[stream] = head
            if have is None or have < head:
                self._told[stream] = max(head, self._told.get(stream, 0))
            if have is not None and have > head:
                self._look_above(stream, have)
            else:
                self._above.pop(stream, None)
        self.on_heads(heads, news)

    def _announce(self, changes: list[Change]) -> None:
        if changes:
            self._emit(changes)

    def _look_above(self, stream: str | None, have: int) -> None:
        """A copy ahead of the server: for a moment that is a snapshot, for longer a restore."""
        now = asyncio.get_running_loop().time()
        before, since = self._above.setdefault(stream, (have, now))
        if before != have:
            self._above[stream] = (have, now)
        elif now - since >= TOLD_MOST_S:
            del self._above[stream]
            self._store.distrust(stream, have)

    async def _fetch_profiles(self) -> None:
        """Fetch the profiles of people whom steps named; pulls bring their own."""
        while self._nameless:
            chunk = sorted(self._nameless)[:PROFILES_PER_CALL]
            self._store.put_profiles(await self._remote.profiles(chunk))
            # Who is out of sight is asked for once.
            self._asked_for |= set(chunk)
            self._nameless -= set(chunk)


def moved(before: Cursor, after: Cursor) -> bool:
    """Tell whether a pull brought a stream further."""
    return before.user != after.user or any(
        after.rooms.get(each, -1) != rev for each, rev in before.rooms.items()
    )


def heads_wait_s(is_live: bool, chance: random.Random) -> float:
    """How long until heads are compared again: a lost last event leaves no gap to notice."""
    return chance.uniform(60, 180) if is_live else 5.0
