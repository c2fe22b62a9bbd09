"""Chat with a copy of one's own: reads are local, deeds are optimistic, everything converges.

async with parley.connect(url, key, store="ann.db") as chat:
    await chat.sign_in(email, password)
    room = await chat.open_direct(bob)
    await chat.send(room.id, "On my way")
    async for change in chat.changes():
        ...

A ``Copy`` is what can be read, ``Deeds`` add what is done in it, ``Screen`` what is seen of others
just now, and ``Chat`` the server.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self
from uuid import UUID

from parley.api import ChatApi
from parley.errors import SignInRequired
from parley.models import RoomsDefaultRole, RoomsHistory
from parley.sync.change import Change
from parley.sync.checksum import Difference, compare
from parley.sync.copy import Id
from parley.sync.deeds import as_id
from parley.sync.engine import Engine, heads_wait_s
from parley.sync.history import load_older
from parley.sync.live import Live
from parley.sync.outbox import MARK_KINDS, Item, utc_now
from parley.sync.remote import Server
from parley.sync.screen import Screen
from parley.sync.sender import Sender
from parley.sync.session import Session
from parley.sync.shown import Room

logger = logging.getLogger(__name__)
GRACE_S = 0.5
"""How long the broadcast of an own deed may take before it is pulled."""


class Chat(Screen):
    """One account on one device. Use it as a context manager, or call ``close``."""

    def __init__(
        self,
        url: str,
        key: str,
        store: Path | str,
        *,
        live: bool = True,
        acknowledge: bool = True,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """``live`` listens to topics; ``acknowledge`` marks what arrives as delivered.

        ``clock`` is this device's, used for nothing but what waiting messages show. Raises
        StoreUnusable, StoreTooNew, OtherAccount.
        """
        super().__init__(store, acknowledge=acknowledge, clock=clock)
        self._server = Server(url, key, self._store.session, self._keep_session)
        self._engine = Engine(self._store, self._server, self._emit)
        self._sender = Sender(self._store, self._outbox, self.api, self._settled)
        self._listens = live
        self._work: asyncio.Task[None] | None = None
        self._chance = random.Random()  # noqa: S311
        if self._store.me is not None:
            self._store.bind(url, self._store.me)

    async def __aenter__(self) -> Self:
        if self._server.is_signed_in and self._store.me is not None:
            self._begin(self._store.me)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Who

    @property
    def is_signed_in(self) -> bool:
        """Tell whether there is a session; without one the copy can be read all the same."""
        return self._server.is_signed_in

    async def sign_in(self, email: str, password: str) -> None:
        """Sign in. Raises SignInRequired, Unreachable, and OtherAccount for another's copy."""
        session = await self._server.sign_in(email, password)
        self._store.bind(self._server.url, str(session.user_id))
        await self._end()
        self._server.begin(session)
        self._begin(str(session.user_id))

    async def sign_out(self) -> None:
        """Stop and forget the session; the copy and the outbox stay."""
        await self._end()
        await self._server.sign_out()

    async def forget(self) -> None:
        """Stop and delete the copy with all that is in it. Nothing else can be done afterwards."""
        await self._end()
        await self._server.close()
        self._store.remove()

    async def close(self) -> None:
        """Stop; the copy stays."""
        await self._end()
        await self._server.close()
        with suppress(Exception):
            self._store.close()

    # Online: what makes or changes rooms asks the server first

    @property
    def api(self) -> ChatApi:
        """Every function of ``chat`` as this account; ``sync`` brings what it changed.

        Its methods raise ApiError and Unreachable.
        """
        return self._server.api

    async def open_direct(self, user_id: Id) -> Room:
        """Open the room of two people. Raises ApiError, Unreachable."""
        return await self._came_into((await self.api.open_direct(as_id(user_id))).id)

    async def create_room(
        self,
        name: str,
        members: Sequence[Id] = (),
        *,
        tenant_id: UUID | None = None,
        is_public: bool = False,
        history: RoomsHistory = "all",
        default_role: RoomsDefaultRole = "member",
    ) -> Room:
        """Make a group. Raises ApiError, Unreachable."""
        room = await self.api.create_room(
            name,
            tenant_id=tenant_id,
            member_ids=[as_id(each) for each in members],
            is_public=is_public,
            history=history,
            default_role=default_role,
        )
        return await self._came_into(room.id)

    async def join_room(self, room_id: Id) -> Room:
        """Join a public room. Raises ApiError, Unreachable."""
        return await self._came_into((await self.api.join_room(as_id(room_id))).room_id)

    async def accept_invite(self, token: str) -> Room:
        """Join the room of an invite. Raises ApiError, Unreachable."""
        return await self._came_into((await self.api.accept_invite(token)).room_id)

    async def leave_room(self, room_id: Id) -> None:
        """Leave a room; it leaves the copy. Raises ApiError, Unreachable."""
        await self.api.leave_room(as_id(room_id))
        await self.sync()

    async def older(self, room_id: Id, page_size: int = 200) -> int:
        """Fetch messages from before those in the copy; returns how many there were."""
        count = await load_older(self._store, self._server, str(room_id), page_size)
        self._emit([Change(as_id(room_id))])
        return count

    async def sync(self) -> None:
        """Compare heads and pull what is missing, now. Raises Unreachable, SignInRequired."""
        self._require_session()
        await self._engine.sync()

    async def verify(self) -> list[Difference]:
        """Compare the copy with the server's checksums; returns what differs."""
        self._require_session()
        return await compare(self._store, self.api, self._engine)

    # Inside

    def _begin(self, me: str) -> None:
        if self._listens:
            self._live = Live(self._server, self._engine, me, self._views.room_row)
        self._work = asyncio.create_task(self._run())

    async def _end(self) -> None:
        work, self._work, self._live = self._work, None, None
        if work is not None:
            work.cancel()
            await asyncio.wait([work])

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._engine.run())
                group.create_task(self._sender.run())
                group.create_task(self._compare_now_and_then())
                if self._live is not None:
                    group.create_task(self._live.run())
                    group.create_task(self._pass_tokens_on(self._live))
        except* SignInRequired as lost:
            logger.warning("the session is lost: %s", lost.exceptions[0])
            self._server.begin(None)
            self._end_changes()
        except* Exception:
            self._end_changes()
            raise

    async def _pass_tokens_on(self, live: Live) -> None:
        tokens: asyncio.Queue[str] = asyncio.Queue()
        self._server.on_token(tokens.put_nowait)
        while True:
            await live.renew(await tokens.get())

    async def _compare_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(heads_wait_s(self.is_live, self._chance))
            self._engine.want_heads()

    def _keep_session(self, session: Session | None) -> None:
        self._store.session = session

    def _require_session(self) -> None:
        if not self.is_signed_in:
            raise SignInRequired("Nobody is signed in.", "Sign in; the copy and the outbox stay.")
        if self._work is not None and self._work.done():
            self._work.result()

    def _wake_sender(self) -> None:
        self._sender.wake()

    async def _came_into(self, room_id: UUID) -> Room:
        await self._engine.sync()
        return self.room(room_id)

    def _settled(self, item: Item, number: int | None) -> None:
        """The server answered; its broadcast is probably on the way already."""
        stream = None if item.kind in MARK_KINDS else item.room_id
        if number is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(GRACE_S if self.is_live else 0, self._tell, stream, number)
        else:
            self._engine.want_heads()
        self._emit([Change(UUID(item.room_id))])

    def _tell(self, stream: str | None, number: int) -> None:
        if self._work is not None:  # else we have stopped meanwhile
            self._engine.tell(stream, number)


connect = Chat
"""``parley.connect(url, key, store="ann.db")``."""
