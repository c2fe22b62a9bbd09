"""A copy in which one can act: deeds are written down first and shown at once."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

from parley.errors import InvalidInput
from parley.sync.change import Change
from parley.sync.copy import Copy, Id
from parley.sync.outbox import NOTHING_SAID, ItemKind, Said, utc_now
from parley.sync.shown import Message
from parley.wire import Jsonable, encode


class Deeds(Copy):
    """What somebody does with a copy, and what changes in it."""

    def __init__(
        self,
        store: Path | str,
        *,
        acknowledge: bool = True,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """``acknowledge`` marks what arrives as delivered. Raises StoreUnusable, StoreTooNew."""
        super().__init__(store, clock)
        self._acknowledges = acknowledge
        self._queues: set[asyncio.Queue[Change | None]] = set()
        self._news = asyncio.Event()

    async def send(
        self,
        room_id: Id,
        body: str,
        *,
        reply_to: int | None = None,
        mentions: Sequence[Id] = (),
        mention_all: bool = False,
        attachments: Sequence[Jsonable] = (),
    ) -> Message:
        """Send a message; returns it as it is shown now: pending. Raises RoomNotFound."""
        optional = {
            "reply_to": reply_to,
            "mentions": [as_id(each) for each in mentions],
            "mention_all": mention_all,
            "attachments": encode(attachments),
        }
        said = Said.model_validate(
            {"body": body, **{name: value for name, value in optional.items() if value}}
        )
        client_id = uuid4()
        self._do("send", room_id, client_id=str(client_id), said=said)
        shown = reversed(self.messages(room_id))
        return next(message for message in shown if message.client_id == client_id)

    async def edit(self, message: Message, body: str) -> None:
        """Change the text of an own message."""
        said = Said(body=body)
        waiting = self._outbox.items(str(message.room_id), "pending", "sent")
        is_first = all(str(message.client_id) != item.client_id for item in waiting)
        if message.rev is not None and is_first:
            said = Said(body=body, expected_rev=message.rev)
        self._do_about("edit", message, said)

    async def delete(self, message: Message) -> None:
        """Delete an own message, or as a moderator anybody's."""
        self._do_about("delete", message)

    async def react(self, message: Message, emoji: str) -> None:
        """React to a message."""
        self._do_about("react", message, Said(emoji=emoji))

    async def unreact(self, message: Message, emoji: str) -> None:
        """Take a reaction back."""
        self._do_about("unreact", message, Said(emoji=emoji))

    async def mark_read(self, room_id: Id, seq: int | None = None) -> None:
        """Mark a room as read, up to a message or as a whole."""
        up_to = self._views.last_seq(str(room_id)) if seq is None else seq
        self._do("read", room_id, seq=up_to)

    async def retry(self, item_id: int) -> None:
        """Let a failed deed try again."""
        self._outbox.retry(item_id)
        self._wake_sender()

    async def dismiss(self, item_id: int) -> None:
        """Forget a deed that failed or was discarded."""
        self._outbox.dismiss(item_id)

    async def settled(self) -> None:
        """Wait until nothing in the outbox waits for the server.

        Raises SignInRequired, and what broke the work behind it if that happened.
        """
        while self._outbox.items(None, "pending"):
            self._require_session()
            await self._news.wait()

    def changes(self) -> AsyncIterator[Change]:
        """Yield what changes in the copy from now on. Raises SignInRequired on a lost session."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._queues.add(queue)
        return self._follow(queue)

    @abstractmethod
    def _wake_sender(self) -> None:
        """There is something new in the outbox."""

    @abstractmethod
    def _require_session(self) -> None:
        """Raise SignInRequired when nobody is signed in, and what broke the work behind it."""

    def _do(
        self,
        kind: ItemKind,
        room_id: Id,
        *,
        client_id: str | None = None,
        seq: int | None = None,
        said: Said = NOTHING_SAID,
    ) -> None:
        room = self.room(room_id)
        self._outbox.add(kind, str(room.id), client_id=client_id, seq=seq, said=said)
        self._emit([Change(room.id)])
        self._wake_sender()

    def _do_about(self, kind: ItemKind, message: Message, said: Said = NOTHING_SAID) -> None:
        if message.seq is None and message.client_id is None:
            raise InvalidInput("This message has no name.", "Take one from messages().")
        is_mine = message.sender_id == self.me
        self._do(
            kind,
            message.room_id,
            client_id=str(message.client_id) if is_mine and message.client_id else None,
            seq=message.seq,
            said=said,
        )

    def _emit(self, changes: Sequence[Change]) -> None:
        for change in changes:
            for queue in self._queues:
                queue.put_nowait(change)
            if self._acknowledges:
                self._acknowledge(change)
        self._notify()

    def _acknowledge(self, change: Change) -> None:
        """Tell that messages of others are here."""
        me = self._store.me
        seqs = [row["seq"] for row in change.raw.get("messages", ()) if row["sender_id"] != me]
        if change.room_id is not None and seqs:
            room_id = str(change.room_id)
            if max(seqs) > self._views.delivered_seq(room_id):
                self._outbox.add("delivered", room_id, seq=max(seqs))
                self._wake_sender()

    def _end_changes(self) -> None:
        """Wake whoever follows or waits: nothing comes any more."""
        for queue in self._queues:
            queue.put_nowait(None)
        self._notify()

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


def as_id(value: Id) -> UUID:
    """Return an id. Raises InvalidInput."""
    try:
        return UUID(str(value))
    except ValueError:
        raise InvalidInput(f"{value!r} is not an id.", "Ids are uuids.") from None
