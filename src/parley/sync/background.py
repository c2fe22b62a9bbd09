"""The work behind a copy: pulling, sending and listening, until it is stopped or lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from parley.errors import ParleyError, SignInRequired
from parley.sync.backoff import Backoff
from parley.sync.engine import Engine
from parley.sync.errors import StoreDamaged, SyncError
from parley.sync.listener import Listener
from parley.sync.sender import Sender
from parley.sync.table_puller import TablePuller
from parley.sync.uploader import Uploader

RESTART_LEAST_S = 0.5
RESTART_MOST_S = 30.0
HEADS_OFFLINE_S = 5.0
HEADS_LEAST_S, HEADS_MOST_S = 60.0, 180.0

logger = logging.getLogger(__name__)


class Background:
    """Tasks that run between ``start`` and ``stop``."""

    def __init__(
        self,
        engine: Engine,
        sender: Sender,
        uploader: Uploader,
        tables: TablePuller,
        *,
        rng: random.Random,
        on_lost: Callable[[ParleyError], None],
    ) -> None:
        """``on_lost`` is told what ended the work: a lost session or file, or a fault of ours."""
        self._engine = engine
        self._sender = sender
        self._uploader = uploader
        self._tables = tables
        self._rng = rng
        self._on_lost = on_lost
        self._task: asyncio.Task[None] | None = None

    @property
    def is_started(self) -> bool:
        """Tell whether it was started and not stopped, even if the work was lost meanwhile."""
        return self._task is not None

    def start(self, listener: Listener | None) -> None:
        """Begin to work; without a listener, changes are found by comparing heads alone."""
        self._task = asyncio.create_task(self._run(listener))

    async def stop(self) -> None:
        """End the work, and wait until it has ended."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, listener: Listener | None) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(keep_running(self._engine.run))
                group.create_task(keep_running(self._sender.run))
                group.create_task(keep_running(self._uploader.run))
                group.create_task(keep_running(self._tables.run))
                group.create_task(self._compare_now_and_then(listener))
                if listener is not None:
                    group.create_task(keep_running(listener.run))
                    group.create_task(listener.pass_tokens_on())
        except* SignInRequired as lost:
            logger.warning("the session is lost: %s", lost.exceptions[0])
            self._on_lost(SignInRequired(str(lost.exceptions[0])))
        except* StoreDamaged as damaged:
            logger.error("the local copy is lost: %s", damaged.exceptions[0])
            self._on_lost(StoreDamaged(str(damaged.exceptions[0])))
        except* Exception as broken:
            logger.exception("the work behind the copy ended")
            self._on_lost(
                SyncError(
                    f"The work behind the copy ended: {broken.exceptions[0]!r}.",
                    "Close the chat and open it again; the copy and the outbox stay.",
                )
            )

    async def _compare_now_and_then(self, listener: Listener | None) -> None:
        while True:
            is_live = listener is not None and listener.is_live
            await asyncio.sleep(heads_wait_s(is_live, self._rng))
            self._engine.glance()


async def keep_running(work: Callable[[], Awaitable[None]]) -> None:
    """Go on after what nobody thought of: it must not be final for somebody who chats."""
    retry = Backoff(RESTART_LEAST_S, RESTART_MOST_S)
    while True:
        try:
            await work()
        except (SignInRequired, StoreDamaged):
            raise
        except Exception:
            logger.exception("beginning again later")
            await asyncio.sleep(retry.next())


def heads_wait_s(is_live: bool, rng: random.Random) -> float:
    """How long until heads are compared again: a lost last event leaves no gap to notice."""
    return rng.uniform(HEADS_LEAST_S, HEADS_MOST_S) if is_live else HEADS_OFFLINE_S
