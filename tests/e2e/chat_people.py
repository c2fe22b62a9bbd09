"""Ann, Bob, Cat and Dan as new accounts, and the front door as a plain HTTP client sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import jwt
import pytest_asyncio
from postgrest import APIError
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from parley.errors import ParleyError
from parley.stack import Status
from tests.e2e.large_rooms import rooms_count_as_large
from tests.e2e.realtime_peers import PythonPeer, of_kind
from tests.until import until

NOWHERE = "00000000-0000-4000-8000-00000000dead"
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Answer:
    """What the front door answered."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def slug(self) -> str:
        """The message of an error."""
        return str(self.body["message"])


@dataclass(frozen=True)
class Event:
    """A broadcast that arrived."""

    topic: str
    name: str
    payload: dict[str, Any]

    def step_of(self, room_id: str) -> int | None:
        """Return the number up to which this tells of a room; None for anything else."""
        return int(self.payload["to"]) if self.payload.get("room_id") == room_id else None

    def messages_of(self, room_id: str) -> list[dict[str, Any]]:
        """Return the messages in a step of a room; none when it is about something else."""
        if self.step_of(room_id) is None:
            return []
        return list((self.payload.get("rows") or {}).get("messages", []))


class Member:
    """Somebody who has signed up for one test; calls show what travels, without models."""

    def __init__(
        self, name: str, user_id: str, client: AsyncClient, token: str, email: str
    ) -> None:
        self.name = name
        self.user_id = user_id
        self.client = client
        self.token = token
        self.email = email
        self._peer = PythonPeer(client)

    @property
    def heard(self) -> list[Event]:
        """The broadcasts of all topics that were joined, in order."""
        return [
            Event(each["topic"], each["event"], each["payload"])
            for each in of_kind(self._peer, "broadcast")
        ]

    async def close(self) -> None:
        """Close the socket."""
        await self._peer.close()

    async def listen(self, topic: str) -> None:
        """Join a private topic. Raises PermissionError; fails when it is refused otherwise."""
        told = await self._peer.join(topic, private=True, broadcast=None)
        if told["status"] != "SUBSCRIBED":
            await self._peer.leave(topic)
            assert "Unauthorized: You do not have permissions" in told["message"]
            raise PermissionError(told["message"])

    async def listen_to_self(self) -> str:
        """Join the topic of one's own steps at its present epoch; returns it."""
        heads = await self.call("list_heads")
        topic = f"user:{self.user_id}:{heads['user']['epoch']}"
        await self.listen(topic)
        return topic

    async def room_epoch(self, room_id: str) -> int:
        """Return the epoch that a room's topics carry now."""
        heads = await self.call("list_heads")
        return next(int(head["epoch"]) for head in heads["rooms"] if head["room_id"] == room_id)

    async def broadcast(self, topic: str, name: str) -> None:
        """Send an event that is not stored, on a live topic."""
        await self._peer.send(topic, name, {"user_id": self.user_id})

    async def hears(self, matches: Callable[[Event], bool], within_s: float = 10.0) -> Event:
        """Return the first event that matches, waiting for it; fails when it does not come."""
        event: Event = await until(lambda: next(filter(matches, self.heard), None), within_s)
        return event

    async def call(self, function: str, **arguments: Any) -> Any:
        """Call a function of ``chat``. Raises ParleyError with its slug's class."""
        try:
            answer = await self.client.rpc(function, arguments).execute()
        except APIError as error:
            refusal = ParleyError.named(error.message or "")
            raise refusal(
                f"{function} refused {self.name}: {error.details or error.message}",
                error.hint or "",
            ) from error
        return answer.data

    async def send(self, room_id: str, body: str) -> dict[str, Any]:
        """Send a message; returns its row in ``messages``."""
        message = await self.call(
            "send_message", room_id=room_id, body=body, client_id=str(uuid4())
        )
        return dict(message)

    async def hears_message(self, room_id: str, seq: int, within_s: float = 10.0) -> Event:
        """Wait for a message to arrive on any topic; fails when it does not."""
        return await self.hears(
            lambda each: any(row["seq"] == seq for row in each.messages_of(room_id)), within_s
        )


async def sign_up(stack: Status, name: str) -> Member:
    """Open an account through Auth."""
    email = f"{name.lower()}-{uuid4()}@parley.example"
    client = await acreate_client(
        stack.api_url, stack.publishable_key, AsyncClientOptions(schema="chat")
    )
    answer = await client.auth.sign_up(
        {"email": email, "password": PASSWORD, "options": {"data": {"display_name": name}}}
    )
    assert answer.user is not None and answer.session is not None
    token = answer.session.access_token
    await client.realtime.set_auth(token)
    return Member(name, answer.user.id, client, token, email)


@asynccontextmanager
async def signed_up(stack: Status, *names: str) -> AsyncIterator[list[Member]]:
    """Several new accounts, disconnected at the end."""
    members = await asyncio.gather(*(sign_up(stack, name) for name in names))
    try:
        yield list(members)
    finally:
        await asyncio.gather(*(member.close() for member in members))


class Door:
    """The front door without a client library: every status, header and body as it is sent."""

    def __init__(self, stack: Status, session: aiohttp.ClientSession) -> None:
        self._stack = stack
        self._session = session

    async def request(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        key: str = "",
        acting_as: str | None = None,
        body: Any = None,
    ) -> Answer:
        """Send one request with a person's token, or with a key alone (the publishable one).

        ``acting_as`` is what the header x-parley-user says.
        """
        headers = {
            "apikey": key or self._stack.publishable_key,
            "Accept-Profile": "chat",
            "Content-Profile": "chat",
        }
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if acting_as is not None:
            headers["x-parley-user"] = acting_as
        url = f"{self._stack.api_url}/rest/v1/{path}"
        async with self._session.request(method, url, headers=headers, json=body) as answer:
            text = await answer.text()
            is_json = answer.content_type.endswith("json")
            return Answer(
                answer.status,
                {name.lower(): value for name, value in answer.headers.items()},
                await answer.json(content_type=None) if is_json and text else text,
            )

    async def call(
        self, function: str, arguments: dict[str, Any] | None = None, **options: Any
    ) -> Answer:
        """Call a function of ``chat``."""
        return await self.request("POST", f"rpc/{function}", body=arguments or {}, **options)

    async def read(self, table: str, **options: Any) -> list[dict[str, Any]]:
        """Read a table (with filters, if ``table`` has some); fails when that is refused."""
        answer = await self.request("GET", table, **options)
        assert answer.status == 200, answer.body
        return list(answer.body)

    def token_without_person(self) -> str:
        """A valid token that names nobody."""
        return self.sign({"role": "authenticated"})

    def sign(self, claims: dict[str, Any]) -> str:
        """A valid token with these claims."""
        claims = {**claims, "exp": int(time.time()) + 600}
        return jwt.encode(claims, self._stack.jwt_secret, algorithm="HS256")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(stack: Status) -> AsyncIterator[list[Member]]:
    """Ann, Bob, Cat and Dan. Their own topics move on with every room they lose."""
    async with signed_up(stack, "Ann", "Bob", "Cat", "Dan") as members:
        yield members


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(stack: Status) -> AsyncIterator[Door]:
    """The front door over plain HTTP."""
    async with aiohttp.ClientSession() as session:
        yield Door(stack, session)


async def room_of(owner: Member, *others: Member, **options: Any) -> str:
    """Open a group room; returns its id."""
    ids = [each.user_id for each in others]
    room = await owner.call("create_room", name="Lisbon in May", member_ids=ids, **options)
    return str(room["id"])


@asynccontextmanager
async def listening(stack: Status, *names: str) -> AsyncIterator[list[Member]]:
    """New accounts, each on their own topic."""
    async with signed_up(stack, *names) as members:
        await asyncio.gather(*(each.listen_to_self() for each in members))
        yield members


async def small_room_of(_: Status, owner: Member, *others: Member) -> str:
    """Open a room that names the recipients of each step; returns its id."""
    return await room_of(owner, *others)


async def large_room_of(stack: Status, owner: Member, *others: Member, **options: Any) -> str:
    """Open a room that has a topic for its steps; returns its id."""
    with rooms_count_as_large(stack):
        return await room_of(owner, *others, **options)


def to_room(**changes: Any) -> Callable[[str], dict[str, Any]]:
    """Arguments of a send to Ann's room, with something changed."""
    return lambda room_id: {
        "room_id": room_id,
        "body": "x",
        "client_id": str(uuid4()),
        **changes,
    }
