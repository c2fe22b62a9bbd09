"""The read replica: asked with GET, for as long as it is quick and has what the client knows of.

A replica follows the primary some milliseconds later, or much later. What it answers is taken only
if it goes at least as far as every number that this client has or was told; time says nothing about
that. Whatever else happens (an error, silence, an answer that is too old), the primary is asked.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from parley.calls import encoded, read
from parley.errors import ApiError, ParleyError, ReplicaBehind
from parley.events import Cursor, Heads
from parley.sync.backoff import Backoff
from parley.sync.rows import refused
from parley.sync.steps import Answer, HeadsByRoom
from parley.sync.table_steps import TableAnswer

PATIENCE_S = 0.25
"""How long the replica may be silent, and how long it may take to come as far as it has to."""
REST_S = 10.0
"""How long it is left alone after that, so that not every call waits for it."""
URL_BYTES_MOST = 4096
ROOMS_MOST = 30
"""As many rooms of a cursor as fit into such a URL, each with its first message."""
AGAIN_LEAST_S, AGAIN_MOST_S = 0.01, 0.1

ANY: TypeAdapter[Any] = TypeAdapter(Any)
HEADS = TypeAdapter(Heads)
T = TypeVar("T")
Least = Mapping[str | None, int]
"""The highest number known of each stream; None is the own one."""

logger = logging.getLogger(__name__)


class Replica:
    """The read replica of a project. Where a method returns None, the primary has to answer."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._http = httpx.AsyncClient(timeout=PATIENCE_S)
        self._rests_until = float("-inf")

    async def pull(self, cursor: Cursor, least: Least, token: str) -> Answer | None:
        """Call ``pull_changes``; the answer goes at least as far as the numbers in ``least``."""

        def accept(value: Any) -> Answer | None:
            answer = Answer.read(value)
            return answer if reaches(answer, cursor, least) else None

        return await self._ask("pull_changes", {"cursor": cursor}, token, ANY, accept)

    async def heads(self, timeline: str | None, least: Least, token: str) -> HeadsByRoom | None:
        """Call ``list_heads``; no head is below ``least``, or of another timeline."""

        def accept(value: Heads) -> HeadsByRoom | None:
            heads = HeadsByRoom.of(value)
            return heads if heads.timeline == timeline and heads.reach(least) else None

        return await self._ask("list_heads", {}, token, HEADS, accept)

    async def pull_table(
        self, name: str, cursor: Mapping[str, Any], token: str
    ) -> TableAnswer | None:
        """Call ``pull_table``, which refuses a cursor with more than the replica has."""

        def accept(value: Any) -> TableAnswer | None:
            answer = TableAnswer.read(value, name)
            return answer if answer.timeline == cursor["timeline"] else None

        arguments = {"name": name, "cursor": cursor}
        found = await self._ask("pull_table", arguments, token, ANY, accept)
        # What only the primary tells is left out as more.
        return None if found is None or (found.more and not found.steps) else found

    async def read(
        self, function: str, arguments: Mapping[str, Any], token: str, result: TypeAdapter[T]
    ) -> tuple[T] | None:
        """Call any function that reads; its answer is as old as the replica is."""
        return await self._ask(function, arguments, token, result, lambda value: (value,))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _ask(
        self,
        function: str,
        arguments: Mapping[str, Any],
        token: str,
        result: TypeAdapter[Any],
        accept: Callable[[Any], T | None],
    ) -> T | None:
        url = f"{self._url}/rest/v1/rpc/{function}{query_of(arguments)}"
        clock = asyncio.get_running_loop().time
        if len(url) > URL_BYTES_MOST or clock() < self._rests_until:
            return None
        deadline = clock() + PATIENCE_S
        again = Backoff(AGAIN_LEAST_S, AGAIN_MOST_S)
        headers = {
            "apikey": self._key,
            "Authorization": f"Bearer {token}",
            "Accept-Profile": "chat",
        }
        try:
            while True:
                try:
                    accepted = accept(read(await self._fetch(url, headers, deadline), result))
                except ReplicaBehind:
                    accepted = None
                if accepted is not None:
                    return accepted
                wait = again.next()
                if clock() + wait > deadline:
                    raise refused("the replica is behind")
                await asyncio.sleep(wait)
        except (ParleyError, httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            logger.debug("the primary answers %s: %r", function, error)
            if not is_about_the_call(error):
                self._rests_until = clock() + REST_S
            return None

    async def _fetch(self, url: str, headers: Mapping[str, str], deadline: float) -> httpx.Response:
        """Get an answer that begins before the deadline, and does not stop for ``PATIENCE_S``."""
        async with AsyncExitStack() as opened:
            async with asyncio.timeout_at(deadline):
                asked = self._http.stream("GET", url, headers=headers)
                response = await opened.enter_async_context(asked)
            await response.aread()
            return response


def is_about_the_call(error: Exception) -> bool:
    """Tell whether the primary would refuse such a call just the same."""
    return isinstance(error, ApiError) and 400 <= error.status < 500


def query_of(arguments: Mapping[str, Any]) -> str:
    """Write arguments as a query: objects as JSON, lists as arrays of Postgres.

    What is None is left out; every function that reads has null as a default there.
    """
    query = "&".join(
        f"{key}={quote(text_of(value), safe=',:{}')}"
        for key, value in encoded(arguments).items()
        if value is not None
    )
    return f"?{query}" if query else ""


def text_of(value: Any) -> str:
    """Write one argument as PostgREST reads it from a URL."""
    if isinstance(value, list):
        return f"{{{','.join(json.dumps(str(each)) for each in value)}}}"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def reaches(answer: Answer, cursor: Cursor, least: Least) -> bool:
    """Tell whether an answer to a cursor goes as far as it has to, or is a part of one that may.

    One of another timeline does not.
    """
    if answer.user is None or cursor.timeline not in (None, answer.timeline):
        return False
    if answer.more:
        return True
    positions: dict[str | None, int | None] = {str(key): rev for key, rev in cursor.rooms.items()}
    positions |= {each.room_id: each.to for each in answer.rooms}
    positions |= dict.fromkeys(answer.user.dropped_rooms)
    positions[None] = answer.user.to
    return all(
        (positions[stream] or 0) >= number
        for stream, number in least.items()
        if stream in positions and stream not in answer.user.dropped_rooms
    )
