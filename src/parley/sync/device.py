"""One account on one device: its copy, its server, and the work that keeps them in step.

The parts know each other through what they are given here, and no other part knows them all.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from parley.errors import ParleyError, SignInRequired
from parley.sync.actions import Actions
from parley.sync.background import Background
from parley.sync.batches import ROOMS_MOST
from parley.sync.change import Change
from parley.sync.engine import Engine
from parley.sync.errors import ChatClosed, StoreUnusable
from parley.sync.feed import Feed
from parley.sync.history import History
from parley.sync.live import Live
from parley.sync.membership import Membership
from parley.sync.outbox import MARK_KINDS, Item, Outbox
from parley.sync.reads import Reads
from parley.sync.remote import Server
from parley.sync.replica import ROOMS_MOST as ROOMS_PER_URL
from parley.sync.sender import Sender
from parley.sync.session import Session
from parley.sync.steps import HeadsByRoom
from parley.sync.storage import Storage
from parley.sync.store import Store
from parley.sync.table import Table
from parley.sync.table_puller import TablePuller
from parley.sync.table_reads import TableCopy, reader
from parley.sync.table_store import TableStore
from parley.sync.uploader import Uploader
from parley.sync.uploads import Uploads
from parley.wire import Row as Model

logger = logging.getLogger(__name__)
GRACE_S = 0.5
"""How long the broadcast of an own action may take before it is pulled."""
UNREGISTER_S = 3.0
"""How long signing out waits for the server to forget the device."""


class Device:
    """The parts of a chat, put together, and what happens between them."""

    def __init__(
        self,
        url: str,
        key: str,
        store: Path | str,
        *,
        read_url: str | None,
        tables: Mapping[str, Table] | None,
        live: bool,
        acknowledge: bool,
        clock: Callable[[], datetime],
        rng: random.Random,
    ) -> None:
        """As ``Chat``. Raises StoreUnusable, StoreDamaged, StoreTooNew, OtherAccount."""
        self._listens, self._acknowledges = live, acknowledge
        self._lost: ParleyError | None = None
        self._is_closed = self._is_session_unkept = False
        self.store = Store(store, self._tell_fault)
        self.outbox = Outbox(self.store, clock)
        self.reads = Reads(self.store, self.outbox)
        self.feed = Feed(self._check_end)
        self.server = Server(url, key, self.store.session, self._keep_session, read_url)
        self.engine = Engine(
            self.store,
            self.server,
            self._emit,
            self._take_heads,
            rng=rng,
            rooms_most=ROOMS_MOST if read_url is None else ROOMS_PER_URL,
        )
        self._sender = Sender(self.store, self.outbox, self.server.api, self._settled, rng=rng)
        self.uploads = Uploads(self.store)
        self.storage = Storage(self.server)
        self._uploader = Uploader(
            self.uploads,
            self.outbox,
            self.storage,
            self._emit,
            settled=self._settled,
            wake_sender=self._sender.wake,
            rng=rng,
        )
        self._table_store = TableStore(self.store, tables)
        self.tables = TablePuller(
            self._table_store,
            self.server,
            lambda: self.store.me,
            emit=self._emit,
            on_owners=self._take_owners,
            rng=rng,
        )
        self.actions = Actions(self.reads, self.outbox, self.uploads, self._emit, self._wake)
        self._history = History(self.store, self.server)
        self.live = Live(
            self.server,
            Membership(self.store),
            self.reads.room_row,
            hear=self.engine.hear,
            hear_tables=self.tables.hear,
            tenants=lambda: self.tables.dashboards,
            want_heads=self.engine.want_heads,
            rng=rng,
        )
        self._background = Background(
            self.engine, self._sender, self._uploader, self.tables, rng=rng, on_lost=self._lose
        )
        if self.store.me is not None:
            self.store.bind(url, self.store.me)

    def begin(self) -> None:
        """Begin to work, if somebody is signed in."""
        me = self.store.me
        with suppress(StoreUnusable):
            self.uploads.tidy()
        if self.server.is_signed_in and me is not None:
            self._background.start(self.live.start(me) if self._listens else None)

    async def end(self) -> None:
        """Stop working."""
        self.live.stop()
        await self._background.stop()

    async def sign_in(self, email: str, password: str) -> None:
        """Sign in, and begin to work as this account. Raises as ``Chat.sign_in``."""
        self.require_open()
        await self._begin_as(await self.server.sign_in(email, password))

    async def use_session(self, access_token: str, refresh_token: str) -> None:
        """Begin to work as the account of these tokens. Raises as ``Chat.use_session``."""
        self.require_open()
        await self._begin_as(await self.server.use_session(access_token, refresh_token))

    async def _begin_as(self, session: Session) -> None:
        self.store.bind(self.server.url, str(session.user_id))
        await self.end()
        self._lost = None
        self.server.begin(session)
        self.begin()

    async def sign_out(self) -> None:
        """Stop working, let the server forget the device if it answers, and forget the session."""
        self.require_open()
        await self.end()
        with suppress(ParleyError, TimeoutError):
            async with asyncio.timeout(UNREGISTER_S):
                await self.server.api.unregister_device(self.store.device_id)
        await self.server.sign_out()

    async def close(self) -> None:
        """Stop for good."""
        await self.end()
        await self.server.close()
        self._is_closed = True
        with suppress(Exception):
            self.store.close()
        self.feed.end()

    async def sync(self) -> None:
        """Pull what is missing, tables of the project's own as well. Raises as ``Chat.sync``."""
        await self.engine.sync()
        await self.tables.sync()

    async def settle(self) -> None:
        """Wait until nothing in the outbox waits for the server. Raises as ``require_session``."""
        while self.outbox.items(None, "pending"):
            self.require_session()
            await self.feed.wait()

    async def load_older(self, room_id: UUID, page_size: int) -> int:
        """Fetch messages from before those in the copy; returns how many came."""
        count = await self._history.load(str(room_id), page_size)
        self._emit([Change(room_id)])
        # What is not read before them is less now.
        await self.engine.catch_up()
        return count

    async def look_again(self) -> None:
        """Pull what a call just changed; a room that cannot be pulled is none of its business."""
        self.engine.want_heads()
        await self.engine.catch_up()

    def table(self, table: Table, model: type[Model] | None) -> TableCopy[Any]:
        """What is read of one of the project's own tables."""
        return TableCopy(
            self.store, self.feed, table, read=reader(model), require_open=self.require_open
        )

    def _lose(self, error: ParleyError) -> None:
        """The work behind the copy ended, and why."""
        if isinstance(error, SignInRequired):
            self.server.begin(None)
        else:
            self._lost = self.store.fault or error
        self.feed.end()

    def _check_end(self) -> None:
        if not self._is_closed:
            self.require_session()

    def _emit(self, changes: Sequence[Change]) -> None:
        self.feed.emit(changes)
        if any(change.is_fresh for change in changes):
            # What a restore undid waits to be sent again.
            self._sender.wake()
        if any(change.places_changed for change in changes):
            # There are rows of other tenants, and what is on its way may be of one that was left.
            self.tables.want()
        if self._acknowledges:
            for change in changes:
                self.actions.acknowledge(change)

    def _take_heads(
        self, heads: HeadsByRoom, news: Mapping[str | None, int], may_lag: bool
    ) -> None:
        self.live.take_heads(heads, news)
        self.tables.want(may_lag=may_lag)

    def _take_owners(self) -> None:
        """Other tenants have rows in the copy than before."""
        self.live.look_again()

    def _keep_session(self, session: Session | None) -> None:
        if session is not None:
            self.live.renew(session.access_token)
        try:
            self.store.session = session
            self._is_session_unkept = False
        except StoreUnusable:
            # Told already; kept as soon as something can be written again.
            self._is_session_unkept = True

    def _tell_fault(self, fault: StoreUnusable | None) -> None:
        """Tell once that something is in the way of the file, and that it is over."""
        if fault is not None:
            logger.warning("%s", fault)
        self._emit([Change(None, fault=fault)])
        # The engine looks after what is in the way; when it is gone everything goes on at once.
        self.engine.want_heads()
        if fault is None:
            self._wake()
            if self._is_session_unkept:
                self._keep_session(self.server.session)

    def require_open(self) -> None:
        """Raise ChatClosed when the chat was closed."""
        if self._is_closed:
            raise ChatClosed("This chat was closed.", "Make another one.")

    def require_session(self) -> None:
        """Raise SignInRequired when nobody is signed in, and what broke the work if that is so."""
        self.require_open()
        if self._lost is not None:
            raise self._lost
        if not self.server.is_signed_in:
            raise SignInRequired("Nobody is signed in.", "Sign in; the copy and the outbox stay.")

    def _wake(self) -> None:
        """There is something new in the outbox."""
        self._sender.wake()
        self._uploader.wake()

    def _settled(self, item: Item, number: int | None) -> None:
        """The server answered; its broadcast is probably on the way already."""
        if item.said.attachments:
            with suppress(StoreUnusable):
                self.uploads.tidy()
        stream = None if item.kind in MARK_KINDS else item.room_id
        if number is not None:
            self.engine.expect(stream, number)
            loop = asyncio.get_running_loop()
            loop.call_later(GRACE_S if self.live.is_live else 0, self._tell, stream, number)
        else:
            self.engine.want_heads()
        self._emit([Change(UUID(item.room_id))])

    def _tell(self, stream: str | None, number: int) -> None:
        if self._background.is_started:  # else we have stopped meanwhile
            try:
                self.engine.tell(stream, number)
            except ParleyError:
                self.engine.want_heads()
