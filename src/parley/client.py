"""Chat with a copy of one's own: reads are local, deeds are optimistic, everything converges.

async with parley.connect(url, key, store="ann.db") as chat:
    await chat.sign_in(email, password)
    room = await chat.open_direct(bob)
    await chat.send(room.id, "On my way")
    async for change in chat.changes():
        ...
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

from parley.errors import InvalidInput, RoomNotFound, SignInRequired
from parley.sync.checksum import Difference, compare
from parley.sync.database import Database
from parley.sync.engine import Engine, heads_wait_s
from parley.sync.history import load_older
from parley.sync.live import Live
from parley.sync.outbox import MARK_KINDS, Item, ItemKind, Outbox, utc_now
from parley.sync.remote import Server, Session
from parley.sync.sender import Sender
from parley.sync.steps import Row
from parley.sync.store import Change, Store
from parley.sync.views import Message, Room, Views

logger = logging.getLogger(__name__)
GRACE_S = 0.5
"""How long the broadcast of an own deed may take before it is pulled."""


class Chat:
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
        self._store = Store(store)
        self._outbox = Outbox(self._store.database, clock)
        self._views = Views(self._store.database, self._outbox)
        self._server = Server(url, key, self._store.session, self._keep_session)
        self._engine = Engine(self._store, self._server, self._emit)
        self._sender = Sender(self._store, self._outbox, self._server, self._settled)
        self._listens = live
        self._acknowledges = acknowledge
        self._live: Live | None = None
        self._work: asyncio.Task[None] | None = None
        self._queues: set[asyncio.Queue[Change | None]] = set()
        self._news = asyncio.Event()
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
    def me(self) -> UUID | None:
        """Whose copy this is; None until somebody signed in."""
        return None if self._store.me is None else UUID(self._store.me)

    @property
    def is_signed_in(self) -> bool:
        """Tell whether there is a session; without one the copy can be read all the same."""
        return self._server.is_signed_in

    @property
    def is_live(self) -> bool:
        """Tell whether changes arrive by themselves now."""
        return self._live is not None and self._live.is_live

    @property
    def topics(self) -> frozenset[str]:
        """The topics that are listened to now."""
        return frozenset() if self._live is None else self._live.topics

    async def sign_in(self, email: str, password: str) -> None:
        """Sign in. Raises SignInRequired, Unreachable, and OtherAccount for another's copy."""
        session = await self._server.sign_in(email, password)
        self._store.bind(self._server.url, str(session["user_id"]))
        await self._end()
        self._server.begin(session)
        self._begin(str(session["user_id"]))

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

    # Reads: from the copy, with or without a network

    def rooms(self, page_size: int = 50, offset: int = 0) -> list[Room]:
        """A page of the start screen: pinned first, then by the newest message."""
        return self._views.rooms(page_size, offset)

    def room(self, room_id: UUID | str) -> Room:
        """One room. Raises RoomNotFound when the copy has none."""
        room = self._views.room(str(room_id))
        if room is None:
            raise RoomNotFound(f"There is no room {room_id} that you can see.", "Check its id.")
        return room

    def messages(
        self, room_id: UUID | str, before: int | None = None, page_size: int = 50
    ) -> list[Message]:
        """A page, oldest first, that ends below seq ``before`` or with what waits to be sent."""
        return self._views.messages(str(room_id), before, page_size)

    def unread(self, room_id: UUID | str) -> int:
        """Count the messages of others above the read mark, up to 100."""
        return self._views.unread(str(room_id))

    def search(
        self, query: str, room_id: UUID | str | None = None, page_size: int = 20
    ) -> list[Message]:
        """Find messages that contain all words, the last one as a beginning; newest first."""
        return self._views.search(query, None if room_id is None else str(room_id), page_size)

    def members(self, room_id: UUID | str) -> list[Row]:
        """The people who are in a room, as far as the copy knows them."""
        return self._views.members(str(room_id))

    def profile(self, user_id: UUID | str) -> Row | None:
        """What is known of somebody."""
        return self._views.profile(str(user_id))

    def notifications(self, page_size: int = 50) -> list[Row]:
        """The newest notifications, newest first."""
        return self._views.notifications(page_size)

    def outbox(self) -> list[Item]:
        """What was done here and is not confirmed: waiting, failed or discarded."""
        return self._outbox.items()

    async def older(self, room_id: UUID | str, page_size: int = 200) -> int:
        """Fetch messages from before those in the copy; returns how many there were."""
        count = await load_older(self._store, self._server, str(room_id), page_size)
        self._emit([Change(str(room_id))])
        return count

    def changes(self) -> AsyncIterator[Change]:
        """Yield what changes in the copy from now on. Raises SignInRequired on a lost session."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._queues.add(queue)
        return self._follow(queue)

    # Deeds: written down first, shown at once, brought to the server when it can be reached

    async def send(
        self,
        room_id: UUID | str,
        body: str,
        *,
        reply_to: int | None = None,
        mentions: Sequence[UUID | str] = (),
        mention_all: bool = False,
        attachments: Sequence[Mapping[str, Any]] = (),
    ) -> Message:
        """Send a message; returns it as it is shown now: pending."""
        optional = {
            "reply_to": reply_to,
            "mentions": [str(each) for each in mentions],
            "mention_all": mention_all,
            "attachments": list(attachments),
        }
        arguments = {"body": body, **{name: value for name, value in optional.items() if value}}
        client_id = str(uuid4())
        self._do("send", room_id, client_id=client_id, arguments=arguments)
        return next(
            each
            for each in reversed(self._views.messages(str(room_id)))
            if each.client_id == client_id
        )

    async def edit(self, message: Message, body: str) -> None:
        """Change the text of an own message."""
        arguments: dict[str, Any] = {"body": body}
        waiting = self._outbox.items(str(message.row["room_id"]), "pending", "sent")
        is_first = all(message.client_id != item.client_id for item in waiting)
        if message.seq is not None and is_first:
            arguments["expected_rev"] = message.row["rev"]
        self._do_about("edit", message, arguments)

    async def delete(self, message: Message) -> None:
        """Delete an own message, or as a moderator anybody's."""
        self._do_about("delete", message, {})

    async def react(self, message: Message, emoji: str) -> None:
        """React to a message."""
        self._do_about("react", message, {"emoji": emoji})

    async def unreact(self, message: Message, emoji: str) -> None:
        """Take a reaction back."""
        self._do_about("unreact", message, {"emoji": emoji})

    async def mark_read(self, room_id: UUID | str, seq: int | None = None) -> None:
        """Mark a room as read, up to a message or as a whole."""
        up_to = self._views.last_seq(str(room_id)) if seq is None else seq
        self._do("read", room_id, seq=up_to)

    async def retry(self, item_id: int) -> None:
        """Let a failed deed try again."""
        self._outbox.retry(item_id)
        self._sender.wake()

    async def dismiss(self, item_id: int) -> None:
        """Forget a deed that failed or was discarded."""
        self._outbox.dismiss(item_id)

    async def settled(self) -> None:
        """Wait until nothing in the outbox waits for the server. Raises SignInRequired."""
        while self._outbox.items(None, "pending"):
            self._require_session()
            await self._news.wait()

    # Online: what makes or changes rooms asks the server first

    async def open_direct(self, user_id: UUID | str) -> Room:
        """Open the room of two people. Raises ApiError, Unreachable."""
        return await self._room_of("open_direct", "id", user_id=str(user_id))

    async def create_room(
        self, name: str, members: Sequence[UUID | str] = (), **options: Any
    ) -> Room:
        """Make a group; ``options`` are those of ``create_room``. Raises ApiError, Unreachable."""
        people = [str(each) for each in members]
        return await self._room_of("create_room", "id", name=name, member_ids=people, **options)

    async def join_room(self, room_id: UUID | str) -> Room:
        """Join a public room. Raises ApiError, Unreachable."""
        return await self._room_of("join_room", "room_id", room_id=str(room_id))

    async def accept_invite(self, token: str) -> Room:
        """Join the room of an invite. Raises ApiError, Unreachable."""
        return await self._room_of("accept_invite", "room_id", token=token)

    async def leave_room(self, room_id: UUID | str) -> None:
        """Leave a room; it leaves the copy. Raises ApiError, Unreachable."""
        await self.call("leave_room", room_id=str(room_id))

    async def call(self, function: str, **arguments: Any) -> Any:
        """Call any function of ``chat`` and bring the copy up to date. Raises ApiError."""
        self._require_session()
        result = await self._server.call(function, **arguments)
        await self._engine.sync()
        return result

    async def sync(self) -> None:
        """Compare heads and pull what is missing, now. Raises Unreachable, SignInRequired."""
        self._require_session()
        await self._engine.sync()

    def progress(self) -> tuple[int, int]:
        """How many rooms have been fetched, and how many there are."""
        row = self._store.database.one("select count(rev), count(*) from streams")
        return int(row[0]), int(row[1])

    async def verify(self) -> list[Difference]:
        """Compare the copy with the server's checksums; returns what differs."""
        self._require_session()
        return await compare(self._store, self._server, self._engine)

    # On screen

    def open(self, room_id: UUID | str) -> None:
        """Show a room: listen to its topics, too, until ``leave_screen``."""
        if self._live is not None:
            self._live.open(str(room_id))

    def leave_screen(self, room_id: UUID | str) -> None:
        """The room is not shown any more."""
        if self._live is not None:
            self._live.close(str(room_id))

    async def typing(self, room_id: UUID | str) -> None:
        """Tell an open room that we are typing; call it with every key."""
        if self._live is not None:
            await self._live.typing(str(room_id))

    def typists(self, room_id: UUID | str) -> frozenset[str]:
        """Who typed in an open room within the last six seconds."""
        return frozenset() if self._live is None else self._live.typists(str(room_id))

    def present(self, room_id: UUID | str) -> frozenset[str]:
        """Who has an open room on screen, as their devices say."""
        return frozenset() if self._live is None else self._live.present(str(room_id))

    # Inside

    def _begin(self, me: str) -> None:
        if self._listens:
            self._live = Live(self._server, self._engine, me, self._views.room_row)
        self._work = asyncio.create_task(self._run())

    async def _end(self) -> None:
        if self._work is not None:
            self._work.cancel()
            with suppress(asyncio.CancelledError):
                await self._work
            self._work = None
        self._live = None

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
            for queue in self._queues:
                queue.put_nowait(None)
            self._notify()

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
        self._store.session = None if session is None else dict(session)

    def _require_session(self) -> None:
        if not self.is_signed_in:
            raise SignInRequired("Nobody is signed in.", "Sign in; the copy and the outbox stay.")

    def _do(
        self,
        kind: ItemKind,
        room_id: UUID | str,
        *,
        client_id: str | None = None,
        seq: int | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.room(room_id)
        self._outbox.add(kind, str(room_id), client_id=client_id, seq=seq, arguments=arguments)
        self._emit([Change(str(room_id))])
        self._sender.wake()

    def _do_about(self, kind: ItemKind, message: Message, arguments: Mapping[str, Any]) -> None:
        if message.seq is None and message.client_id is None:
            raise InvalidInput("This message has no name.", "Take one from messages().")
        is_mine = self._store.me == message.sender_id
        self._do(
            kind,
            str(message.row["room_id"]),
            client_id=message.client_id if is_mine else None,
            seq=message.seq,
            arguments=arguments,
        )

    async def _room_of(self, function: str, column: str, **arguments: Any) -> Room:
        row = await self.call(function, **arguments)
        return self.room(str(row[column]))

    def _settled(self, item: Item, number: int | None) -> None:
        """The server answered; its broadcast is probably on the way already."""
        stream = None if item.kind in MARK_KINDS else item.room_id
        if number is not None:
            wait = GRACE_S if self.is_live else 0.0
            asyncio.get_running_loop().call_later(wait, self._engine.tell, stream, number)
        else:
            self._engine.want_heads()
        self._emit([Change(item.room_id)])

    def _emit(self, changes: Sequence[Change]) -> None:
        for change in changes:
            for queue in self._queues:
                queue.put_nowait(change)
            if self._acknowledges and change.room_id is not None and "messages" in change.rows:
                self._acknowledge(change.room_id, change.rows["messages"])
        self._notify()

    def _acknowledge(self, room_id: str, messages: Sequence[Row]) -> None:
        """Tell that messages of others are here."""
        seqs = [row["seq"] for row in messages if row["sender_id"] != self._store.me]
        if seqs and max(seqs) > self._views.delivered_seq(room_id):
            self._outbox.add("delivered", room_id, seq=max(seqs))
            self._sender.wake()

    def _notify(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _follow(self, queue: asyncio.Queue[Change | None]) -> AsyncIterator[Change]:
        try:
            while True:
                change = await queue.get()
                if change is None:
                    self._require_session()
                else:
                    yield change
        finally:
            self._queues.discard(queue)

    @property
    def database(self) -> Database:
        """The file of the copy, for reading."""
        return self._store.database


connect = Chat
"""``parley.connect(url, key, store="ann.db")``."""
