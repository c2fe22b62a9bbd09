"""Bringing attached files into storage, one after the other, the network for ever."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID

from parley.errors import FileNotFound, ParleyError, SignInRequired, SlowDown
from parley.sync.backoff import Backoff
from parley.sync.change import Change, Progress
from parley.sync.errors import StoreDamaged, StoreUnusable, is_transient
from parley.sync.outbox import Item, Outbox
from parley.sync.storage import Storage
from parley.sync.store import LOCAL_RETRY_S
from parley.sync.uploads import Upload, Uploads

logger = logging.getLogger(__name__)
RETRY_LEAST_S = 0.25
RETRY_MOST_S = 30.0
STEPS = 100
"""How often progress is told of one file."""


class Uploader:
    """Uploads what waits; the send of a file goes when all of its files are there."""

    def __init__(
        self,
        uploads: Uploads,
        outbox: Outbox,
        storage: Storage,
        emit: Callable[[Sequence[Change]], None],
        *,
        settled: Callable[[Item, int | None], None],
        wake_sender: Callable[[], None],
        rng: random.Random,
    ) -> None:
        """``settled`` is told a send whose file was refused, ``wake_sender`` that one may go."""
        self._uploads = uploads
        self._outbox = outbox
        self._storage = storage
        self._emit = emit
        self._settled = settled
        self._wake_sender = wake_sender
        self._rng = rng
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something new to upload."""
        self._wake.set()

    async def run(self) -> None:
        """Upload until cancelled. Raises SignInRequired on a lost session, StoreDamaged."""
        retry = Backoff(RETRY_LEAST_S, RETRY_MOST_S, self._rng)
        while True:
            self._wake.clear()
            wait = None
            try:
                await self._upload_all()
                retry.reset()
            except (SignInRequired, StoreDamaged):
                raise
            except StoreUnusable as error:
                logger.debug("waiting for the local copy: %s", error)
                wait = LOCAL_RETRY_S
            except ParleyError as error:
                logger.warning("uploading again later: %r", error)
                wait = retry.next()
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _upload_all(self) -> None:
        """Upload what waits. Raises Unreachable and the like when a file has to be tried again."""
        later: ParleyError | None = None
        for upload in self._uploads.waiting():
            try:
                await self._upload(upload)
            except SignInRequired:
                raise
            except ParleyError as error:
                if is_worth_another_try(error):
                    # Another file may well pass, for example a smaller one.
                    later = error
                    continue
                self._refuse(upload, error)
            else:
                self._uploads.done(upload)
                self._wake_sender()
        if later is not None:
            raise later

    async def _upload(self, upload: Upload) -> None:
        self._tell(upload, 0)
        try:
            await self._storage.upload(
                upload.path, upload.mime_type, upload.size, lambda: self._content(upload)
            )
        except OSError as error:
            raise FileNotFound(f"The copy of the file is gone: {error}.") from error
        self._tell(upload, upload.size)

    async def _content(self, upload: Upload) -> AsyncIterator[bytes]:
        sent = told = 0
        async for chunk in self._uploads.chunks(upload):
            yield chunk
            sent += len(chunk)
            if sent - told >= upload.size / STEPS and sent < upload.size:
                self._tell(upload, sent)
                told = sent

    def _tell(self, upload: Upload, sent: int) -> None:
        progress = Progress(UUID(upload.client_id), upload.path, sent, upload.size)
        self._emit([Change(UUID(upload.path.split("/")[0]), upload=progress)])

    def _refuse(self, upload: Upload, error: ParleyError) -> None:
        logger.warning("a file was refused: %r", error)
        for item in self._outbox.items(None, "pending"):
            if item.kind == "send" and item.client_id == upload.client_id:
                self._outbox.reject(item, error.slug)
                self._settled(item, None)


def is_worth_another_try(error: ParleyError) -> bool:
    """Tell whether the same upload may pass later."""
    return isinstance(error, SlowDown | StoreUnusable) or is_transient(error)
