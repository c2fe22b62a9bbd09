"""Ann, Bob, Cat and Dan as new accounts, and the front door as a plain HTTP client sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import jwt
import pytest_asyncio
from postgrest import APIError
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from parley.demo.check import lowered_fanout_limit
from parley.demo.conversation import messages_of
from parley.demo.person import Event, Person
from parley.errors import ParleyError
from parley.stack import Status

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


class Member(Person):
    """Somebody who has signed up for one test; calls show what travels, without models."""

    def __init__(
        self, name: str, user_id: str, client: AsyncClient, token: str, email: str
    ) -> None:
        super().__init__(name, UUID(user_id), client)
        self.user_id = user_id
        self.client = client
        self.token = token
        self.email = email

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
        room = UUID(room_id)
        event = await self.hears(
            lambda each: any(row.seq == seq for row in messages_of(each, room)), within_s
        )
        assert event is not None, f"{self.name} did not hear message {seq}"
        return event


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
        self, method: str, path: str, *, token: str | None = None, key: str = "", body: Any = None
    ) -> Answer:
        """Send one request with a person's token, or with a key alone (the publishable one)."""
        headers = {
            "apikey": key or self._stack.publishable_key,
            "Accept-Profile": "chat",
            "Content-Profile": "chat",
        }
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
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
        claims = {"role": "authenticated", "exp": int(time.time()) + 600}
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
    async with lowered_fanout_limit(stack.db_url):
        return await room_of(owner, *others, **options)


def to_room(**changes: Any) -> Callable[[str], dict[str, Any]]:
    """Arguments of a send to Ann's room, with something changed."""
    return lambda room_id: {
        "room_id": room_id,
        "body": "x",
        "client_id": str(uuid4()),
        **changes,
    }
