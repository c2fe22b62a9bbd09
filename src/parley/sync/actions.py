"""What an account does: each action is written into the outbox first and shown at once.

What the methods are for and what they raise is told where an app calls them, in ``Chat``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

from parley.errors import InvalidInput
from parley.sync.arguments import Id, as_id, as_ids, as_message, as_number, as_text
from parley.sync.change import Change
from parley.sync.errors import SyncError
from parley.sync.outbox import NOTHING_SAID, WHAT_CAN_BE_SENT, Item, ItemKind, Outbox, Said
from parley.sync.overlay import draft
from parley.sync.reads import Reads
from parley.sync.uploads import Upload, Uploads
from parley.sync.view_models import NOBODY, Message
from parley.wire import Jsonable, encode, first_fault


class Actions:
    """Writes actions into the outbox of one copy."""

    def __init__(
        self,
        reads: Reads,
        outbox: Outbox,
        uploads: Uploads,
        emit: Callable[[Sequence[Change]], None],
        wake: Callable[[], None],
    ) -> None:
        """``emit`` is told which rooms look different now, ``wake`` that there is work."""
        self._reads = reads
        self._outbox = outbox
        self._uploads = uploads
        self._emit = emit
        self._wake = wake

    def send(
        self,
        room_id: Id,
        body: str,
        *,
        reply_to: int | None,
        mentions: Sequence[Id],
        mention_all: bool,
        attachments: Sequence[Jsonable],
        metadata: Mapping[str, Jsonable] | None,
    ) -> Message:
        optional = {
            "reply_to": reply_to,
            "mentions": as_ids(mentions),
            "mention_all": mention_all,
            "attachments": attachments,
            "metadata": metadata,
        }
        said = said_with(body=body, **{name: value for name, value in optional.items() if value})
        return self._send(room_id, said, uuid4(), None)

    async def attach(
        self,
        room_id: Id,
        file: Path | bytes,
        *,
        name: str,
        mime_type: str | None,
        facts: Mapping[str, Jsonable],
        body: str,
        reply_to: int | None,
        mentions: Sequence[Id],
        metadata: Mapping[str, Jsonable] | None,
    ) -> Message:
        room = self._reads.room(room_id)
        client_id = uuid4()
        optional = {"reply_to": reply_to, "mentions": as_ids(mentions), "metadata": metadata}
        arguments = {name: value for name, value in optional.items() if value}
        # What cannot be sent is refused before anything is copied.
        said_with(body=as_text(body), attachments=[dict(facts)], **arguments)
        upload = await asyncio.to_thread(
            self._uploads.copy, str(room.id), str(client_id), file, as_text(name), mime_type
        )
        attachment: dict[str, Jsonable] = {
            "path": upload.path,
            "name": name,
            "mime_type": upload.mime_type,
            "size": upload.size,
            **facts,
        }
        said = said_with(body=body, attachments=[attachment], **arguments)
        return self._send(room_id, said, client_id, upload)

    def _send(self, room_id: Id, said: Said, client_id: UUID, upload: Upload | None) -> Message:
        item = self._add("send", room_id, client_id=str(client_id), said=said, upload=upload)
        shown = (each for each in self._reads.messages(room_id) if each.client_id == client_id)
        return next(shown, None) or draft(item, self._reads.me or NOBODY)

    def edit(
        self,
        message: Message,
        body: str,
        *,
        mentions: Sequence[Id] | None,
        metadata: Mapping[str, Jsonable] | None,
    ) -> None:
        as_message(message)
        arguments: dict[str, object] = {"body": as_text(body)}
        if mentions is not None:
            arguments["mentions"] = as_ids(mentions)
        if metadata is not None:
            arguments["metadata"] = metadata
        waiting = self._outbox.items(str(message.room_id), "pending", "sent")
        is_first = all(str(message.client_id) != item.client_id for item in waiting)
        if message.rev is not None and is_first:
            arguments["expected_rev"] = message.rev
        self._add_about("edit", message, said_with(**arguments))

    def delete(self, message: Message) -> None:
        self._add_about("delete", message)

    def react(self, message: Message, emoji: str) -> None:
        self._add_about("react", message, said_with(emoji=as_text(emoji)))

    def unreact(self, message: Message, emoji: str) -> None:
        self._add_about("unreact", message, said_with(emoji=as_text(emoji)))

    def mark_read(self, room_id: Id, seq: int | None) -> None:
        up_to = self._reads.last_seq(str(as_id(room_id))) if seq is None else as_number(seq)
        self._add("read", room_id, seq=up_to)

    def retry(self, item_id: int) -> None:
        self._outbox.retry(as_number(item_id))
        self._wake()

    def dismiss(self, item_id: int) -> None:
        self._outbox.dismiss(as_number(item_id))
        self._uploads.tidy()

    def acknowledge(self, change: Change) -> None:
        """Mark messages of others that arrived as delivered."""
        messages = change.raw.get("messages", ())
        if change.room_id is None or not messages:
            return
        # (When it cannot be written, whoever watches the file tells so.)
        with suppress(SyncError):
            me = str(self._reads.me)
            seqs = [row["seq"] for row in messages if row.get("sender_id") != me]
            room_id = str(change.room_id)
            if seqs and max(seqs) > self._reads.delivered_seq(room_id):
                self._outbox.add("delivered", room_id, seq=max(seqs))
                self._wake()

    def _add(
        self,
        kind: ItemKind,
        room_id: Id,
        *,
        client_id: str | None = None,
        seq: int | None = None,
        said: Said = NOTHING_SAID,
        upload: Upload | None = None,
    ) -> Item:
        room = self._reads.room(room_id)
        item = self._outbox.add(
            kind,
            str(room.id),
            client_id=client_id,
            seq=seq,
            said=said,
            and_note=lambda: None if upload is None else self._uploads.add(upload),
        )
        self._emit([Change(room.id)])
        self._wake()
        return item

    def _add_about(self, kind: ItemKind, message: Message, said: Said = NOTHING_SAID) -> None:
        as_message(message)
        if message.seq is None and message.client_id is None:
            raise InvalidInput("This message has no name.", "Take one from messages().")
        is_mine = message.sender_id == self._reads.me
        self._add(
            kind,
            message.room_id,
            client_id=str(message.client_id) if is_mine and message.client_id else None,
            seq=message.seq,
            said=said,
        )


def said_with(**arguments: object) -> Said:
    """The arguments of an action. Raises InvalidInput when they cannot be sent."""
    try:
        return Said.model_validate(encode(arguments))
    except (RecursionError, TypeError, ValueError) as error:
        reason = first_fault(error)
        raise InvalidInput(f"This cannot be sent: {reason}.", WHAT_CAN_BE_SENT) from error
