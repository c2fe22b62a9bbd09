"""The server: the generated API as one account, and the reads whose rows are kept as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar

import httpx
from pydantic import TypeAdapter
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from parley.api import ChatApi
from parley.calls import UNAUTHORIZED, AsyncCalls, read_json, refusal_in
from parley.errors import (
    InvalidInput,
    SignInRequired,
    Unreachable,
)
from parley.events import Cursor
from parley.sync.auth import SIGN_IN, authenticate
from parley.sync.errors import ChatClosed
from parley.sync.replica import Least, Replica
from parley.sync.rows import Row, refused
from parley.sync.session import Session
from parley.sync.steps import Answer, HeadsByRoom, members, read_profiles
from parley.sync.table_steps import TableAnswer

ANY: TypeAdapter[Any] = TypeAdapter(Any)
REFRESH_EARLY_S = 60
TIMEOUT_S = 30.0
ROWS_PER_PAGE = 1000
MOST_SELECTED = 100_000
"""How many rows about a page of messages may come."""

T = TypeVar("T")


class Remote(Protocol):
    """What the engine needs of a server. All raise Unreachable, SignInRequired, ApiError."""

    async def pull(self, cursor: Cursor, least: Least) -> Answer:
        """Call ``pull_changes``; a replica answers only with at least these numbers."""

    async def heads(self, timeline: str | None, least: Least | None) -> HeadsByRoom:
        """Call ``list_heads``.

        With ``least``, a replica of this timeline may answer, with no head below it.
        """

    async def profiles(self, user_ids: Iterable[str]) -> Sequence[Row]:
        """Call ``list_profiles``."""


class SessionCalls(AsyncCalls):
    """Calls with the tokens of a server's session."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def call(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """As ``AsyncCalls.call``; a token that is refused is renewed once."""
        return await self._server.call(function, arguments, result)


class SessionApi(ChatApi):
    """The functions of ``chat`` as the account of a server's session."""

    def __init__(self, calls: SessionCalls) -> None:
        self._calls = calls


class ReadCalls(SessionCalls):
    """Calls of a session of which the read replica answers those that only read."""

    async def read(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """As ``AsyncCalls.read``."""
        return await self._server.read(function, arguments, result)


class Server:
    """A Supabase project, as one account. Tokens are renewed when they are about to end."""

    def __init__(
        self,
        url: str,
        key: str,
        session: Session | None,
        keep: Callable[[Session | None], None],
        read_url: str | None = None,
    ) -> None:
        """``keep`` is told every new session, and None when it is lost."""
        self.url = url
        self.key = key
        self.api = SessionApi(SessionCalls(self))
        self.reads = SessionApi(ReadCalls(self))
        self._replica = None if read_url is None else Replica(read_url, key)
        self._session = session
        self._keep = keep
        self._client: AsyncClient | None = None
        self._ahead_s: float | None = None
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            follow_redirects=True,
            event_hooks={"response": [self._note_time]},
        )
        self._renewing = asyncio.Lock()

    async def client(self) -> AsyncClient:
        """The client of supabase-py. Raises ChatClosed, InvalidInput for what is no URL or key."""
        if self._http.is_closed:
            raise ChatClosed("This chat was closed.", "Make another one.")
        if self._client is None:
            options = AsyncClientOptions(
                schema="chat",
                auto_refresh_token=False,
                persist_session=False,
                httpx_client=self._http,
                # Whether and when to try again is decided here.
                postgrest_client_retry=False,
            )
            try:
                self._client = await create_async_client(self.url, self.key, options)
            except Exception as error:
                raise InvalidInput(
                    f"{self.url!r} and the key are not those of a project: {error}.",
                    "Take both from 'parley status', or from the project's API settings.",
                ) from error
            if self._session is not None:
                self._use(self._session)
        return self._client

    async def sign_in(self, email: str, password: str) -> Session:
        """Sign in with a password. Raises SignInRequired, Unreachable. Keeps nothing yet."""
        client = await self.client()
        return await authenticate(
            lambda: client.auth.sign_in_with_password({"email": email, "password": password})
        )

    async def use_session(self, access_token: str, refresh_token: str) -> Session:
        """Ask Auth whose tokens these are. Raises as ``sign_in``, and keeps nothing yet."""
        client = await self.client()
        return await authenticate(lambda: client.auth.set_session(access_token, refresh_token))

    def begin(self, session: Session | None) -> None:
        """Act as the account of this session from now on; None signs out."""
        self._session = session
        self._keep(session)
        if session is not None:
            self._use(session)

    @property
    def is_signed_in(self) -> bool:
        """Tell whether there is a session, fresh or not."""
        return self._session is not None

    @property
    def session(self) -> Session | None:
        """The tokens of this account, None when nobody is signed in."""
        return self._session

    @property
    def email(self) -> str:
        """The address of the account that is signed in; empty when it is not known."""
        return "" if self._session is None else self._session.email

    async def access_token(self) -> str:
        """A token that is good for a while. Raises SignInRequired, Unreachable."""
        return (await self._good_session()).access_token

    async def pull(self, cursor: Cursor, least: Least) -> Answer:
        """Call ``pull_changes``; its rows stay as they came (see ``kinds``)."""
        if self._replica is not None:
            found = await self._replica.pull(cursor, least, await self.access_token())
            if found is not None:
                return found
        arguments = {"cursor": cursor}
        return Answer.read(await self.call(ChatApi.pull_changes.__name__, arguments, ANY))

    async def heads(self, timeline: str | None, least: Least | None) -> HeadsByRoom:
        """Call ``list_heads``."""
        if self._replica is not None and least is not None:
            found = await self._replica.heads(timeline, least, await self.access_token())
            if found is not None:
                return found
        return HeadsByRoom.of(await self.api.list_heads())

    async def pull_table(
        self, name: str, cursor: Mapping[str, Any], *, may_lag: bool
    ) -> TableAnswer:
        """Call ``pull_table``; its rows stay as they came."""
        if self._replica is not None and may_lag:
            token = await self.access_token()
            found = await self._replica.pull_table(name, cursor, token)
            if found is not None:
                return found
        arguments = {"name": name, "cursor": cursor}
        return TableAnswer.read(await self.call("pull_table", arguments, ANY), name)

    @property
    def now_us(self) -> int | None:
        """The server's time in microseconds since 1970: the clock of this device may be wrong."""
        if self._ahead_s is None:
            return None
        return int((self._ahead_s + time.monotonic()) * 1_000_000)

    async def profiles(self, user_ids: Iterable[str]) -> Sequence[Row]:
        """Call ``list_profiles``; its rows stay as they came."""
        arguments = {"user_ids": list(user_ids)}
        return read_profiles(await self.call(ChatApi.list_profiles.__name__, arguments, ANY))

    async def call(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """Call a function of ``chat`` with a token that is good."""
        session = await self._good_session()
        calls = AsyncCalls(await self.client(), "chat")
        try:
            return await calls.call(function, arguments, result)
        except SignInRequired:
            # The clock of this device may be wrong, or the session was ended elsewhere.
            await self._renew(session)
            return await calls.call(function, arguments, result)

    async def read(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """Call a function of ``chat`` that only reads; the replica may answer."""
        if self._replica is not None:
            token = await self.access_token()
            found = await self._replica.read(function, arguments, token, result)
            if found is not None:
                return found[0]
        return await self.call(function, arguments, result)

    async def select(
        self, table: str, filters: Mapping[str, str], most: int | None = None
    ) -> list[Row]:
        """Read a table through its policies; ``filters`` are PostgREST's.

        Stops as soon as there are more than ``most`` rows; None reads them all. Raises Unreachable,
        SignInRequired, ApiError, AnswerRefused.
        """
        rows: list[Row] = []
        while most is None or len(rows) <= most:
            if len(rows) >= MOST_SELECTED:
                raise refused(f"{table} has no end")
            # A project caps the rows of one answer as well, and does not say at how many.
            part = {"limit": str(ROWS_PER_PAGE), "offset": str(len(rows))}
            page = await self._select_page(table, {**filters, **part})
            if not page:
                break
            rows += page
        return rows

    async def _select_page(self, table: str, parameters: dict[str, str]) -> list[Row]:
        answer = await self.request(
            "GET", f"/rest/v1/{table}", parameters=parameters, headers={"Accept-Profile": "chat"}
        )
        if not answer.is_success:
            raise refusal_in(answer)
        return members(read_json(answer), table)

    async def request(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: Callable[[], AsyncIterator[bytes]] | None = None,
    ) -> httpx.Response:
        """Ask a service of the project as this account. Raises Unreachable, SignInRequired.

        A token that is refused is renewed once; ``content`` is called for each try.
        """
        session = await self._good_session()
        for is_last in (False, True):
            try:
                answer = await self._http.request(
                    method,
                    f"{self.url}{path}",
                    params=parameters,
                    headers={
                        "apikey": self.key,
                        "Authorization": f"Bearer {session.access_token}",
                        **(headers or {}),
                    },
                    content=None if content is None else content(),
                )
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                raise Unreachable(
                    f"The API did not answer: {error or type(error).__name__}.", "Try again."
                ) from error
            if is_last or not is_stale(answer):
                break
            session = await self._renew(session)
        return answer

    async def sign_out(self) -> None:
        """End the session on this device."""
        self.begin(None)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        if self._replica is not None:
            await self._replica.close()

    async def _note_time(self, response: httpx.Response) -> None:
        with suppress(ValueError):
            told = parsedate_to_datetime(response.headers.get("Date", ""))
            self._ahead_s = told.timestamp() - time.monotonic()

    def _use(self, session: Session) -> None:
        if self._client is not None:
            self._client.postgrest.auth(session.access_token)

    async def _good_session(self) -> Session:
        """The session, another one when it is about to end. Raises SignInRequired, Unreachable."""
        session = self._session
        if session is None:
            raise SignInRequired("Nobody is signed in.", SIGN_IN)
        if session.expires_at - time.time() < REFRESH_EARLY_S:
            return await self._renew(session)
        return session

    async def _renew(self, session: Session) -> Session:
        """Put another session in this one's place, once: its refresh token is good for one use."""
        async with self._renewing:
            if self._session is None:
                raise SignInRequired("Nobody is signed in.", SIGN_IN)
            if self._session is not session:
                return self._session
            client = await self.client()
            try:
                fresh = await authenticate(
                    lambda: client.auth.refresh_session(session.refresh_token)
                )
            except SignInRequired:
                self.begin(None)
                raise
            self.begin(fresh)
            return fresh


def is_stale(answer: httpx.Response) -> bool:
    """Tell whether an answer refuses a token. Storage says 400 of one that has ended."""
    return answer.status_code == UNAUTHORIZED or (
        answer.status_code in (400, 403) and any(word in answer.text for word in ("jwt", '\\"exp'))
    )
