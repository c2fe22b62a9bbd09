"""Chat with a copy of one's own: reads are local, actions are optimistic, everything converges.

async with parley.connect(url, key, store="ann.db") as chat:
    await chat.sign_in(email, password)
    room = await chat.open_direct(bob)
    await chat.send(room.id, "On my way")
    async for change in chat.changes():
        ...

``Chat`` is all that an app needs; what stands behind it is put together in ``parley.sync.device``.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from reprlib import repr as short
from typing import Any, Self, TypeVar, overload
from uuid import UUID

from parley.api import ChatApi
from parley.errors import InvalidInput
from parley.models import BlocksRow, ProfilesRow, RoomMembersRow, RoomsDefaultRole, RoomsHistory
from parley.sync.arguments import Id, as_id, as_ids, as_number, as_text
from parley.sync.change import Change
from parley.sync.checksum import Difference, compare
from parley.sync.database import Database
from parley.sync.device import Device
from parley.sync.errors import StoreUnusable
from parley.sync.kinds import maybe_model
from parley.sync.outbox import Item, utc_now
from parley.sync.table import Table, as_tables
from parley.sync.table_reads import TableCopy
from parley.sync.view_models import Message, Notification, Room
from parley.wire import Jsonable, Row

PEOPLE_PER_SEARCH = 200

M = TypeVar("M", bound=Row)


class Chat:
    """One account on one device. Use it as a context manager, or call ``close``.

    Nothing but ``ParleyError`` leaves its methods: InvalidInput for an argument that makes no
    sense, and what is told below. A full disk, a lock or a read-only folder is told once through
    ``changes`` (``Change.fault``), waited for and got over; ``fault`` tells whether it is still so,
    and calls that have to write meanwhile raise StoreUnusable. A damaged file ends the work with
    StoreDamaged. A closed chat raises ChatClosed.
    """

    def __init__(
        self,
        url: str,
        key: str,
        store: Path | str,
        *,
        read_url: str | None = None,
        tables: Sequence[Table] | None = None,
        live: bool = True,
        acknowledge: bool = True,
        clock: Callable[[], datetime] = utc_now,
        rng: random.Random | None = None,
    ) -> None:
        """``live`` listens to topics; ``acknowledge`` marks what arrives as delivered.

        ``read_url`` is that of a read replica of the project. It answers pulls as long as it has
        what this device knows of, and answers within 250 ms; else the primary at ``url`` does.
        ``tables`` are the project's own that are in the copy, beside the chat. What the copy has of
        another table leaves it, so name all of them whenever the file is opened; None leaves the
        tables of the file as they are, and pulls none.

        ``clock`` is this device's, used for nothing but what waiting messages show. ``rng`` decides
        how long to wait before something is tried or asked again. Raises StoreUnusable,
        StoreDamaged, StoreTooNew, OtherAccount, InvalidInput.
        """
        if not isinstance(url, str) or not isinstance(key, str):
            raise InvalidInput("The URL and the key are text.", "Take both from 'parley status'.")
        if not isinstance(read_url, str | None):
            raise InvalidInput(f"{short(read_url)} is no URL.", "Leave it out without a replica.")
        if not isinstance(store, str | Path):
            raise InvalidInput(f"{short(store)} is no path.", "Name a file.")
        self._tables = {} if tables is None else as_tables(tables)
        rng = rng or random.Random()  # noqa: S311
        self._device = device = Device(
            url,
            key,
            store,
            read_url=read_url,
            tables=None if tables is None else self._tables,
            live=live,
            acknowledge=acknowledge,
            clock=clock,
            rng=rng,
        )
        self._store = device.store
        self._outbox = device.outbox
        self._server = device.server
        self._reads = device.reads
        self._actions = device.actions
        self._live = device.live
        self._engine = device.engine

    async def __aenter__(self) -> Self:
        self._device.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # The account

    @property
    def me(self) -> UUID | None:
        """Whose copy this is; None until somebody signed in."""
        return self._reads.me

    @property
    def device_id(self) -> str:
        """The name of this installation, made up once and kept in the file.

        Pass it to ``register_device`` and ``heartbeat``; ``sign_out`` unregisters it.
        """
        return self._store.device_id

    @property
    def is_signed_in(self) -> bool:
        """Tell whether there is a session; without one the copy can be read all the same."""
        return self._server.is_signed_in

    @property
    def email(self) -> str:
        """The address of the account that is signed in; empty when it is not known."""
        return self._server.email

    async def sign_in(self, email: str, password: str) -> None:
        """Sign in. Raises SignInRequired, Unreachable, and OtherAccount for another's copy."""
        if not isinstance(email, str) or not isinstance(password, str):
            raise InvalidInput("The address and the password are text.", "Give both.")
        await self._device.sign_in(email, password)

    async def use_session(self, access_token: str, refresh_token: str) -> None:
        """Go on with a session that was begun elsewhere, for example by a magic link.

        From then on this chat renews it. A refresh token is good for one use, so whatever began the
        session leaves renewing to the chat. Raises SignInRequired where the tokens are not good any
        more, Unreachable, and OtherAccount for another's copy.
        """
        if not isinstance(access_token, str) or not isinstance(refresh_token, str):
            raise InvalidInput("The tokens are text.", "Pass both, as Supabase Auth gave them.")
        await self._device.use_session(access_token, refresh_token)

    async def sign_out(self) -> None:
        """Stop and forget the session; the copy and the outbox stay.

        The server is told to push nothing to ``device_id`` any more. Where it does not answer
        within three seconds, this signs out all the same, and pushes go on until another account
        registers the token of the device or its provider calls it dead.
        """
        await self._device.sign_out()

    async def forget(self) -> None:
        """Stop and delete the copy with all that is in it, the outbox too.

        Nothing else can be done afterwards. Raises StoreUnusable when it cannot be deleted.
        """
        await self.close()
        self._store.remove()
        self._device.uploads.remove()

    async def close(self) -> None:
        """Stop; the copy stays. ``changes`` ends."""
        await self._device.close()

    # Reads: of the copy, with or without a network

    @property
    def database(self) -> Database:
        """The file, for reading."""
        return self._store

    @property
    def fault(self) -> StoreUnusable | None:
        """What is in the way of the file now: a full disk, a lock. None when nothing is."""
        return self._store.fault

    def rooms(self, page_size: int = 50, offset: int = 0) -> list[Room]:
        """A page of the start screen: pinned first, then by the newest message."""
        return self._reads.rooms(page_size, offset)

    def room(self, room_id: Id) -> Room:
        """One room. Raises RoomNotFound when the copy has none."""
        return self._reads.room(room_id)

    def messages(
        self, room_id: Id, before: int | None = None, page_size: int = 50
    ) -> list[Message]:
        """A page, oldest first, that ends below seq ``before`` or with what waits to be sent."""
        return self._reads.messages(room_id, before, page_size)

    def unread(self, room_id: Id) -> int:
        """Count the messages of others above the read mark, up to 100, older ones included.

        They begin where this account last came in.
        """
        return self._reads.unread(room_id)

    def mentions(self, room_id: Id) -> int:
        """Count those of them that mention this account, up to 100."""
        return self._reads.mentions(room_id)

    def search(
        self,
        query: str,
        room_id: Id | None = None,
        page_size: int = 20,
        before: Message | None = None,
    ) -> list[Message]:
        """Find messages that contain all words, the last one as a beginning; newest first.

        ``before`` is the last message of the page before. The order is that of the server's search.
        """
        return self._reads.search(query, room_id, page_size, before)

    def members(self, room_id: Id) -> list[RoomMembersRow]:
        """The people who are in a room, as far as the copy knows them."""
        return self._reads.members(room_id)

    def profile(self, user_id: Id) -> ProfilesRow | None:
        """What is known of somebody."""
        return self._reads.profile(user_id)

    def people(self) -> list[ProfilesRow]:
        """Everybody of whom the copy has a profile, by id: this account and closed ones, too."""
        return self._reads.people()

    def notifications(self, page_size: int = 50) -> list[Notification]:
        """The newest notifications that are not over, newest first."""
        return self._reads.notifications(page_size)

    def blocked(self) -> list[BlocksRow]:
        """The people whom this account has blocked, by id."""
        return self._reads.blocked()

    def outbox(self) -> list[Item]:
        """What was done here and is not confirmed: waiting, failed or discarded."""
        return self._outbox.items()

    def progress(self) -> tuple[int, int]:
        """How many rooms have been fetched, and how many there are."""
        return self._reads.progress()

    # The project's own tables

    @overload
    def table(self, name: str) -> TableCopy[dict[str, Any]]: ...

    @overload
    def table(self, name: str, model: type[M]) -> TableCopy[M]: ...

    def table(self, name: str, model: type[Row] | None = None) -> TableCopy[Any]:
        """One of the project's own tables, as far as it is in the copy.

        With a ``model`` of ``parley types``, its rows are of that model. Raises InvalidInput for a
        table that was not named when this chat was made.
        """
        if not isinstance(name, str) or name not in self._tables:
            raise InvalidInput(
                f"{short(name)} is no table of this copy.",
                f"Name it when the chat is made: tables=[Table({short(name)})].",
            )
        return self._device.table(self._tables[name], model)

    # Actions: written down first and shown at once. They raise RoomNotFound for a room that is not
    # in the copy, and StoreUnusable when they cannot be written down.

    async def send(
        self,
        room_id: Id,
        body: str,
        *,
        reply_to: int | None = None,
        mentions: Sequence[Id] = (),
        mention_all: bool = False,
        attachments: Sequence[Jsonable] = (),
        metadata: Mapping[str, Jsonable] | None = None,
    ) -> Message:
        """Send a message; returns it as it is shown now: pending."""
        return self._actions.send(
            room_id,
            body,
            reply_to=reply_to,
            mentions=mentions,
            mention_all=mention_all,
            attachments=attachments,
            metadata=metadata,
        )

    async def attach(
        self,
        room_id: Id,
        file: Path | str | bytes,
        *,
        body: str = "",
        name: str | None = None,
        mime_type: str | None = None,
        width: int | None = None,
        height: int | None = None,
        duration: float | None = None,
        blurhash: str | None = None,
        reply_to: int | None = None,
        mentions: Sequence[Id] = (),
        metadata: Mapping[str, Jsonable] | None = None,
    ) -> Message:
        """Send a file with a message; returns it as it is shown now: pending.

        ``file`` is a path or the bytes themselves; they are copied first, so the original may go.
        ``changes`` tells how far it got (``Change.upload``). It goes on after a restart, and the
        message is sent when the file is there. ``width`` and ``height`` are in pixels,
        ``duration`` is in seconds; other people's devices draw with them before they load. Raises
        InvalidInput for a file that cannot be read.
        """
        if not isinstance(file, Path | str | bytes):
            raise InvalidInput(f"{short(file)} is no file.", "Pass a path or bytes.")
        source = Path(file) if isinstance(file, str) else file
        facts = {"width": width, "height": height, "duration": duration, "blurhash": blurhash}
        return await self._actions.attach(
            room_id,
            source,
            name=name or ("file" if isinstance(source, bytes) else source.name),
            mime_type=mime_type,
            facts={key: value for key, value in facts.items() if value is not None},
            body=body,
            reply_to=reply_to,
            mentions=mentions,
            metadata=metadata,
        )

    async def edit(
        self,
        message: Message,
        body: str,
        *,
        mentions: Sequence[Id] | None = None,
        metadata: Mapping[str, Jsonable] | None = None,
    ) -> None:
        """Change the text of an own message, whom it mentions, or its metadata.

        What is None stays; an empty list mentions nobody any more, and ``{}`` clears the metadata.
        """
        self._actions.edit(message, body, mentions=mentions, metadata=metadata)

    async def delete(self, message: Message) -> None:
        """Delete an own message, or as a moderator anybody's."""
        self._actions.delete(message)

    async def react(self, message: Message, emoji: str) -> None:
        """React to a message."""
        self._actions.react(message, emoji)

    async def unreact(self, message: Message, emoji: str) -> None:
        """Take a reaction back."""
        self._actions.unreact(message, emoji)

    async def mark_read(self, room_id: Id, seq: int | None = None) -> None:
        """Mark a room as read, up to a message or as a whole."""
        self._actions.mark_read(room_id, seq)

    async def retry(self, item_id: int) -> None:
        """Let a failed action try again."""
        self._actions.retry(item_id)

    async def dismiss(self, item_id: int) -> None:
        """Forget an action that failed or was discarded."""
        self._actions.dismiss(item_id)

    async def settled(self) -> None:
        """Wait until nothing in the outbox waits for the server.

        Waits for a full disk or a lock as for the server. Raises SignInRequired, StoreDamaged, and
        what broke the work behind it if that happened.
        """
        await self._device.settle()

    # Live: what changes, and what others do just now

    def changes(self) -> AsyncIterator[Change]:
        """Yield what changes in the copy from now on, and what gets in its way; end with ``close``.

        What waits to be taken is bounded. If it becomes too much, one change per room comes in its
        place, ``is_fresh`` and without rows. Raises SignInRequired on a lost session, and
        StoreDamaged.
        """
        self._device.require_open()
        return self._device.feed.subscribe()

    @property
    def is_live(self) -> bool:
        """Tell whether changes arrive by themselves now."""
        return self._live.is_live

    @property
    def topics(self) -> frozenset[str]:
        """The topics that are listened to now."""
        return self._live.topics

    def open(self, room_id: Id) -> None:
        """Show a room: listen to its topics, too, until ``leave_screen``."""
        self._live.open(str(as_id(room_id)))

    def leave_screen(self, room_id: Id) -> None:
        """The room is not shown any more."""
        self._live.close(str(as_id(room_id)))

    async def typing(self, room_id: Id) -> None:
        """Tell an open room that we are typing; call it with every key."""
        await self._live.typing(str(as_id(room_id)))

    def typists(self, room_id: Id) -> frozenset[str]:
        """The people who typed in an open room within the last six seconds, and may post there."""
        return self._live.typists(str(as_id(room_id)))

    def present(self, room_id: Id) -> frozenset[str]:
        """The members who have an open room on screen, as their devices say."""
        return self._live.present(str(as_id(room_id)))

    # Online: what makes or changes rooms asks the server first. These raise ApiError, Unreachable.

    @property
    def api(self) -> ChatApi:
        """Every function of ``chat`` as this account; ``sync`` brings what it changed.

        Its methods raise ApiError and Unreachable.
        """
        return self._server.api

    @property
    def reads(self) -> ChatApi:
        """``api``, with functions that only read answered by the replica of ``read_url``.

        What they answer may be some seconds old, also for what this account has just done. The
        primary answers what the replica refuses, and where it is silent for 250 ms.
        """
        return self._server.reads

    async def open_direct(self, user_id: Id, tenant_id: UUID | None = None) -> Room:
        """Open the room of two people."""
        room = await self.api.open_direct(as_id(user_id), tenant_id=tenant_id)
        return await self._came_into(room.id)

    async def people_called(self, display_name: str) -> list[ProfilesRow]:
        """The people of this name that this account may see, itself among them.

        Where the server lets people be found (``people_are_findable``), a beginning of any word of
        the name is enough, and at most 200 come; else it has to be exactly the name.
        """
        self._device.require_session()
        name = as_text(display_name)
        # What cannot be a name is refused as a query; nobody is called so.
        with suppress(InvalidInput):
            if found := await self.api.search_profiles(name, page_size=PEOPLE_PER_SEARCH):
                return found
        filters = {"display_name": f"eq.{name}"}
        rows = await self._server.select("profiles", filters)
        return [model for row in rows if (model := maybe_model(ProfilesRow, row)) is not None]

    async def create_room(
        self,
        name: str,
        members: Sequence[Id] = (),
        *,
        tenant_id: UUID | None = None,
        is_public: bool = False,
        history: RoomsHistory = "all",
        default_role: RoomsDefaultRole = "member",
        is_opaque: bool = False,
    ) -> Room:
        """Make a group.

        In an opaque one the bodies are what the app encrypted, and no search looks at them, that
        of this copy included (docs/encryption.md).
        """
        room = await self.api.create_room(
            name,
            tenant_id=None if tenant_id is None else as_id(tenant_id),
            member_ids=as_ids(members),
            is_public=is_public,
            history=history,
            default_role=default_role,
            is_opaque=is_opaque,
        )
        return await self._came_into(room.id)

    async def join_room(self, room_id: Id) -> Room:
        """Join a public room."""
        return await self._came_into((await self.api.join_room(as_id(room_id))).room_id)

    async def accept_invite(self, token: str) -> Room:
        """Join the room of an invite."""
        return await self._came_into((await self.api.accept_invite(token)).room_id)

    async def leave_room(self, room_id: Id) -> None:
        """Leave a room; it leaves the copy."""
        await self.api.leave_room(as_id(room_id))
        await self._device.look_again()

    async def block(self, user_id: Id) -> None:
        """Block somebody: neither reaches the other, and what they say in groups is folded."""
        await self.api.block_user(as_id(user_id))
        await self._device.look_again()

    async def unblock(self, user_id: Id) -> None:
        """Lift a block of this account."""
        await self.api.unblock_user(as_id(user_id))
        await self._device.look_again()

    async def clear_history(self, room_id: Id) -> None:
        """Clear what was said in a room so far, for this account alone and on all its devices.

        It leaves the copy, with its search index.
        """
        await self.api.clear_history(as_id(room_id))
        await self._device.look_again()

    async def older(self, room_id: Id, page_size: int = 200) -> int:
        """Fetch messages from before those in the copy; returns how many came.

        They may be fewer than asked for: 0 is the beginning. After an error the next call asks for
        half as many.
        """
        return await self._device.load_older(as_id(room_id), as_number(page_size))

    async def download(self, path: str, *, width: int | None = None) -> bytes:
        """Fetch a file of a message, by the ``path`` of its attachment.

        With a ``width`` an image comes made smaller where the project does that, else as it is.
        A file of this device comes from here until it is sent. Raises FileNotFound, Unreachable.
        """
        if (own := self._device.uploads.read(as_text(path))) is not None:
            return own
        self._device.require_session()
        return await self._device.storage.download(path, width)

    async def sync(self) -> None:
        """Compare heads and pull what is missing, now. Raises Unreachable, SignInRequired.

        Raises TableNotFound for one of ``tables`` that does not travel, or is not ours to see.
        """
        self._device.require_session()
        await self._device.sync()

    async def verify(self) -> list[Difference]:
        """Compare the copy with the server's checksums; returns what differs."""
        self._device.require_session()
        return await compare(self._store, self.api, self._engine)

    async def _came_into(self, room_id: UUID) -> Room:
        await self._device.look_again()
        return self.room(room_id)


connect = Chat
"""``parley.connect(url, key, store="ann.db")``."""
