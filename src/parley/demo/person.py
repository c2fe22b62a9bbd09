"""One person of the demo: signed in with supabase-py, and subscribed to her topics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from realtime import AsyncRealtimeChannel, RealtimeChannelOptions, RealtimeSubscribeStates
from storage3.exceptions import StorageApiError
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from parley.api import ChatApi
from parley.errors import PartFailed
from parley.events import RoomStep
from parley.models import MessagesRow
from parley.stack.page import DEMO_PASSWORD

PRIVATE: RealtimeChannelOptions = {"config": {"private": True, "broadcast": None, "presence": None}}
BUCKET = "chat-attachments"
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Event:
    """An event that arrived; ``at`` is ``time.perf_counter`` at that moment.

    ``payload`` is not checked: on live topics clients send anything they like.
    """

    topic: str
    name: str
    payload: dict[str, Any]
    at: float

    def step_of(self, room_id: UUID) -> RoomStep | None:
        """Return the step of a room that this is; None when it is about something else.

        Raises pydantic's ValidationError when the server names the room in something malformed.
        """
        if self.payload.get("room_id") != str(room_id):
            return None
        return RoomStep.model_validate(self.payload)


class Person:
    """A person who is signed in: ``api`` acts for them, ``heard`` has the events of all topics."""

    def __init__(self, name: str, id: UUID, client: AsyncClient) -> None:  # noqa: A002
        self.name = name
        self.id = id
        self.api = ChatApi(client)
        self.heard: list[Event] = []
        self._client = client
        self._channels: dict[str, AsyncRealtimeChannel] = {}
        self._news = asyncio.Event()

    @classmethod
    async def sign_in(cls, name: str, url: str, key: str) -> Person:
        """Sign in somebody of supabase/seed.sql. ``url`` and ``key`` are the front door's."""
        client = await acreate_client(url, key, AsyncClientOptions(schema="chat"))
        answer = await client.auth.sign_in_with_password(
            {"email": f"{name.lower()}@parley.example", "password": DEMO_PASSWORD}
        )
        if answer.user is None or answer.session is None:
            raise PartFailed(f"{name} could not sign in.", "Read 'parley logs lite'.")
        await client.realtime.set_auth(answer.session.access_token)
        return cls(name, UUID(answer.user.id), client)

    async def close(self) -> None:
        """Close the socket."""
        await self._client.realtime.close()

    async def say(self, room_id: UUID, body: str) -> MessagesRow:
        """Send a message. Raises ParleyError with its slug's class."""
        return await self.api.send_message(room_id, body, uuid4())

    async def upload(self, path: str, content: bytes, mime_type: str) -> None:
        """Put a file into the bucket of attachments. Raises storage3's StorageApiError."""
        bucket = self._client.storage.from_(BUCKET)
        await bucket.upload(path, content, {"content-type": mime_type})

    async def download(self, path: str) -> bytes | None:
        """Fetch a file of a room; None when it is refused, or not there."""
        try:
            return await self._client.storage.from_(BUCKET).download(path)
        except StorageApiError:
            return None

    async def listen(self, topic: str) -> None:
        """Join a private topic and hear its events from now on. Raises PartFailed."""
        outcome: list[tuple[RealtimeSubscribeStates, Exception | None]] = []

        def hear(broadcast: Any) -> None:
            event = Event(topic, broadcast["event"], broadcast["payload"], time.perf_counter())
            self.heard.append(event)
            self._news.set()

        channel = self._client.channel(topic, PRIVATE)
        channel.on_broadcast("*", hear)
        await channel.subscribe(lambda state, error: outcome.append((state, error)))
        state, error = outcome[-1]
        if state is not RealtimeSubscribeStates.SUBSCRIBED:
            # Without this, the client would try again for ever.
            await self._client.remove_channel(channel)
            raise PartFailed(
                f"{self.name} could not join {topic}: {error or state.value}.",
                "Call explain_access with the topic, or read 'parley logs gateway'.",
            )
        self._channels[topic] = channel

    async def listen_to_self(self) -> str:
        """Join the topic of one's own steps at its present epoch; returns it."""
        heads = await self.api.list_heads()
        topic = f"user:{self.id}:{heads.user.epoch}"
        await self.listen(topic)
        return topic

    async def room_epoch(self, room_id: UUID) -> int:
        """Return the epoch that a room's topics carry now."""
        heads = await self.api.list_heads()
        return next(head.epoch for head in heads.rooms if head.room_id == room_id)

    async def broadcast(self, topic: str, name: str) -> None:
        """Send an event that is not stored, on a live topic."""
        await self._channels[topic].send_broadcast(name, {"user_id": str(self.id)})

    async def hears(
        self, matches: Callable[[Event], bool], within_s: float = PATIENCE_S
    ) -> Event | None:
        """Return the first event that matches, waiting for it; None when it does not come."""
        seen = 0
        try:
            async with asyncio.timeout(within_s):
                while True:
                    self._news.clear()
                    for event in self.heard[seen:]:
                        if matches(event):
                            return event
                    seen = len(self.heard)
                    await self._news.wait()
        except TimeoutError:
            return None
