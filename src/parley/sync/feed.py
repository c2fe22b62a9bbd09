"""The feed of changes: a queue for each subscriber, small however long nobody takes from it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeAlias
from uuid import UUID

from parley.sync.change import Change, TableChange

Wanted: TypeAlias = Callable[[Change], bool]

MOST_WAITING = 10_000
"""How many changes and rows may wait for one subscriber."""


class Feed:
    """Hands every change to every subscriber, and wakes those who wait for news."""

    def __init__(self, check_end: Callable[[], None]) -> None:
        """``check_end`` is called after the last change; it raises why there are no more."""
        self._check_end = check_end
        self._subscriptions: set[Subscription] = set()
        self._news = asyncio.Event()

    def emit(self, changes: Sequence[Change]) -> None:
        """Hand out changes; without any, only wake those who wait for news."""
        for change in changes:
            for subscription in self._subscriptions:
                subscription.put(change)
        self._news.set()
        self._news = asyncio.Event()

    def end(self) -> None:
        """Let every subscription end when its changes are taken."""
        for subscription in self._subscriptions:
            subscription.end()
        self._subscriptions.clear()
        self.emit([])

    async def wait(self) -> None:
        """Wait until something is handed out, or the feed ends."""
        await self._news.wait()

    def subscribe(self, is_wanted: Wanted = lambda change: True) -> AsyncIterator[Change]:
        """Yield the changes that are handed out from now on, or some of them."""
        subscription = Subscription(is_wanted)
        self._subscriptions.add(subscription)
        return self._take(subscription)

    async def _take(self, subscription: Subscription) -> AsyncIterator[Change]:
        try:
            while (change := await subscription.take()) is not None:
                yield change
            self._check_end()
        finally:
            self._subscriptions.discard(subscription)


class Subscription:
    """The changes that a subscriber has not taken yet.

    When too much waits, it becomes one change per room, one per table, and one of the own stream,
    without rows and ``is_fresh``: read the room or the table again.
    """

    def __init__(self, is_wanted: Wanted = lambda change: True) -> None:
        self._is_wanted = is_wanted
        self._waiting: deque[Change] = deque()
        self._size = 0
        self._is_over = False
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, change: Change) -> None:
        """Add a change, if it is one that is wanted."""
        if not self._is_wanted(change):
            return
        self._waiting.append(change)
        self._size += size_of(change)
        if self._size > MOST_WAITING:
            self._waiting = coalesced(self._waiting)
            # (What is left cannot be made smaller: it is the number of rooms.)
            self._size = 0
        self._news.set()

    def end(self) -> None:
        """Nothing comes any more."""
        self._is_over = True
        self._news.set()

    async def take(self) -> Change | None:
        """The next change; None when nothing comes any more."""
        while not self._waiting:
            if self._is_over:
                return None
            self._news.clear()
            await self._news.wait()
        change = self._waiting.popleft()
        self._size = max(self._size - size_of(change), 0)
        return change


def size_of(change: Change) -> int:
    """What a change counts for."""
    table = 0 if change.table is None else len(change.table.changed) + len(change.table.gone)
    return 1 + table + sum(map(len, change.raw.values()))


def coalesced(changes: deque[Change]) -> deque[Change]:
    """One change per room and per table, in the order of its newest, and the newest fault."""
    newest: dict[UUID | str | None, Change] = {}
    fault = None
    for change in changes:
        fault = change.fault or fault
        if change.table is not None:
            name = change.table.name
            newest.pop(name, None)
            newest[name] = Change(None, table=TableChange(name, is_fresh=True))
            continue
        newest.pop(change.room_id, None)
        newest[change.room_id] = Change(
            change.room_id, is_gone=change.is_gone, is_fresh=not change.is_gone
        )
    if fault is not None:
        newest[None] = Change(None, is_fresh=True, fault=fault)
    return deque(newest.values())
