"""Flushing the outbox: per room in order, rooms independent, the network for ever."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable
from uuid import UUID

from parley.api import ChatApi
from parley.errors import AnswerRefused, ParleyError, SignInRequired, SlowDown
from parley.events import Outgoing
from parley.models import SendOutcome
from parley.sync.backoff import Backoff
from parley.sync.errors import StoreDamaged, StoreUnusable, is_transient
from parley.sync.outbox import Item, Outbox, Stamped, check_about
from parley.sync.rows import refused
from parley.sync.store import LOCAL_RETRY_S, Store

logger = logging.getLogger(__name__)
ITEMS_PER_CALL = 200
ROOMS_PER_CALL = 50
RETRY_LEAST_S = 0.25
RETRY_MOST_S = 30.0
SLOW_DOWN_S = 1.0
NONSENSE_S = 15.0
LONGEST_HOLD_S = 3600.0


class Sender:
    """Brings what the outbox holds to the server.

    ``settled`` is called with the room of every action that was answered, and what its number is.
    """

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        api: ChatApi,
        settled: Callable[[Item, int | None], None],
        *,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._api = api
        self._settled = settled
        self._rng = rng or random.Random()  # noqa: S311
        self._clock = clock
        self._wake = asyncio.Event()
        self._not_before: dict[str, float] = {}
        self._flushing = asyncio.Lock()

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._wake.set()

    async def run(self) -> None:
        """Flush until cancelled. Raises SignInRequired on a lost session, StoreDamaged."""
        retry = Backoff(RETRY_LEAST_S, RETRY_MOST_S, self._rng)
        while True:
            self._wake.clear()
            try:
                self._store.probe()
                wait = await self.flush()
                retry.reset()
            except (SignInRequired, StoreDamaged):
                raise
            except StoreUnusable as error:
                logger.debug("waiting for the local copy: %s", error)
                await asyncio.sleep(LOCAL_RETRY_S)
                continue
            except ParleyError as error:
                logger.warning("sending again later: %r", error)
                wait = retry.next()
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def flush(self) -> float | None:
        """Bring everything that may go now.

        Returns the seconds until something else may go, None when nothing waits. Raises
        Unreachable (what was answered is noted), SignInRequired.
        """
        async with self._flushing:
            while True:
                ready = self._ready()
                if not ready:
                    break
                sends = [items for items in ready if items[0].kind == "send"]
                marks = [items[0] for items in ready if items[0].kind == "delivered"]
                if sends:
                    await self._send(sends)
                if marks:
                    await self._mark_delivered(marks[:ROOMS_PER_CALL])
                for items in ready:
                    if items[0].kind not in ("send", "delivered"):
                        await self._do(items[0])
            waits = [at - self._clock() for at in self._not_before.values()]
            return max(min(waits), 0.0) if waits else None

    def _ready(self) -> list[list[Item]]:
        """Per room the actions that go next: all sends up to another kind, or that one action.

        A message whose files are still on their way takes its place when they are there, with
        what is about it: a word that was typed after a film need not wait for the film.
        """
        now = self._clock()
        pending: dict[str, list[Item]] = defaultdict(list)
        waiting = self._outbox.waiting_for_files()
        for item in self._outbox.items(None, "pending"):
            if item.client_id not in waiting:
                pending[item.room_id].append(item)
        self._not_before = {
            room_id: at
            for room_id, at in self._not_before.items()
            if at > now and room_id in pending
        }
        ready = []
        for room_id, items in pending.items():
            if room_id not in self._not_before:
                length = next(
                    (at for at, item in enumerate(items) if item.kind != "send"), len(items)
                )
                ready.append(items[: max(length, 1)])
        return ready

    async def _send(self, rooms: list[list[Item]]) -> None:
        """One batch: whole rooms while they fit, so that no room overtakes itself."""
        batch: list[Item] = []
        for items in rooms[:ROOMS_PER_CALL]:
            batch += items[: ITEMS_PER_CALL - len(batch)]
        await self._send_batch(batch)

    async def _send_batch(self, batch: list[Item]) -> None:
        batch = [item for item in batch if item.room_id not in self._not_before]
        if not batch:
            return
        try:
            outcomes = await self._outcomes(batch)
        except SignInRequired:
            raise
        except ParleyError as error:
            is_nonsense = isinstance(error, AnswerRefused)
            if is_transient(error) and not is_nonsense:
                raise
            # Something in it, or in its answer, cannot even be read; the halves tell what.
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._send_batch(batch[:middle])
                await self._send_batch(batch[middle:])
            elif is_nonsense:
                self._hold(batch[0].room_id, NONSENSE_S)
            else:
                self._reject(batch[0], error.slug)
            return
        for item, outcome in zip(batch, outcomes, strict=True):
            if outcome.outcome == "later":
                self._hold(item.room_id, outcome.after)
            elif outcome.outcome == "rejected" and outcome.reason != "message_deleted":
                self._reject(item, str(outcome.reason))
            else:
                # (What was sent before and purged since leaves nothing to show.)
                self._accept(item, outcome.message)

    async def _outcomes(self, batch: list[Item]) -> list[SendOutcome]:
        """Send; returns an outcome per item. Raises ApiError, AnswerRefused."""
        items = [
            Outgoing.model_validate(
                {**item.said.to_json(), "room_id": item.room_id, "client_id": item.client_id}
            )
            for item in batch
        ]
        outcomes = await self._api.send_messages(items)
        if [str(each.client_id) for each in outcomes] != [each.client_id for each in batch]:
            raise refused("the outcomes are not those of what was sent")
        for item, outcome in zip(batch, outcomes, strict=True):
            check_about(item, outcome.message)
        return outcomes

    async def _mark_delivered(self, items: list[Item]) -> None:
        cursors = {item.room_id: item.seq for item in items}
        try:
            marks = await self._api.mark_delivered(cursors, device_id=self._store.device_id)
        except SlowDown as error:
            for item in items:
                self._hold(item.room_id, error.retry_after)
            return
        moved = {str(mark.room_id): mark for mark in marks}
        for item in items:
            check_about(item, moved.get(item.room_id))
        for item in items:
            self._accept(item, moved.get(item.room_id))

    async def _do(self, item: Item) -> None:
        """One action that is not a send."""
        seq = self._outbox.target(item, self._store.me or "")
        if seq is None:
            self._reject(item, "message_not_found")
            return
        try:
            row = await self._call(item, UUID(item.room_id), seq)
            check_about(item, row)
        except SlowDown as error:
            self._hold(item.room_id, error.retry_after or SLOW_DOWN_S)
        except SignInRequired:
            raise
        except AnswerRefused as error:
            # As good as none, and no reason to stop other rooms.
            logger.warning("doing it again later: %r", error)
            self._hold(item.room_id, NONSENSE_S)
        except ParleyError as error:
            if is_transient(error):
                raise
            self._reject(item, error.slug)
        else:
            self._accept(item, row)

    async def _call(self, item: Item, room_id: UUID, seq: int) -> Stamped | None:
        """Call the function of an action."""
        api, said = self._api, item.said
        match item.kind:
            case "edit":
                return await api.edit_message(
                    room_id,
                    seq,
                    said.body,
                    expected_rev=said.expected_rev,
                    mentions=said.mentions if "mentions" in said.model_fields_set else None,
                    metadata=said.metadata,
                )
            case "delete":
                return await api.delete_message(room_id, seq)
            case "react":
                return await api.add_reaction(room_id, seq, said.emoji)
            case "unreact":
                return await api.remove_reaction(room_id, seq, said.emoji)
            case _:
                return await api.mark_read(room_id, seq)

    def _hold(self, room_id: str, seconds: float | None) -> None:
        wait = min(max(seconds or SLOW_DOWN_S, 0.0), LONGEST_HOLD_S)
        self._not_before[room_id] = self._clock() + wait

    def _accept(self, item: Item, row: Stamped | None) -> None:
        self._outbox.accept(item, row)
        self._settled(item, None if row is None else row.rev)

    def _reject(self, item: Item, slug: str) -> None:
        self._outbox.reject(item, slug)
        self._settled(item, None)
