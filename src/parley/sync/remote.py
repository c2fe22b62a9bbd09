"""The server: the generated API as one account, and the reads whose rows are kept as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

import httpx
from pydantic import TypeAdapter
from supabase import AsyncClient, AsyncClientOptions, create_async_client
from supabase_auth.errors import AuthApiError, AuthError, AuthRetryableError

from parley.api import ChatApi
from parley.calls import AsyncCalls, refusal_in
from parley.errors import ApiError, ParleyError, SignInRequired, Unreachable
from parley.events import Cursor
from parley.models import ProfilesRow
from parley.sync.session import Session
from parley.sync.steps import Answer, Heads, Row

ANY: TypeAdapter[Any] = TypeAdapter(Any)
ANSWERS = ("PT4", "22", "23", "P0")
REFRESH_EARLY_S = 60
SERVER_ERROR = 500
RATE_LIMITED = 429
TIMEOUT_S = 30.0
SIGN_IN = "Sign in again; the local copy and the outbox stay."

T = TypeVar("T")


class Remote(Protocol):
    """What the engine needs of a server. All raise Unreachable, SignInRequired, ApiError."""

    async def pull(self, cursor: Cursor) -> Answer:
        """Call ``pull_changes``."""

    async def heads(self) -> Heads:
        """Call ``list_heads``."""

    async def profiles(self, user_ids: Iterable[str]) -> list[ProfilesRow]:
        """Call ``list_profiles``."""


def is_transient(error: ParleyError) -> bool:
    """Tell whether the same call may well succeed later, whatever it says.

    What has a class of its own, or is a status or a constraint of ours, is an answer. The rest is
    a server in trouble, such as one that has not read its schema yet.
    """
    if isinstance(error, Unreachable):
        return True
    return type(error) is ApiError and not error.code.startswith(ANSWERS)


class SessionCalls(AsyncCalls):
    """Calls with the tokens of a server's session."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def call(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """As ``AsyncCalls.call``; a token that is refused is renewed once."""
        return await self._server.call(function, arguments, result)


class SessionApi(ChatApi):
    """The functions of ``chat`` as the account of a server's session."""

    def __init__(self, server: Server) -> None:
        self._calls = SessionCalls(server)


class Server:
    """A Supabase project, as one account. Tokens are renewed when they are about to end."""

    def __init__(
        self, url: str, key: str, session: Session | None, keep: Callable[[Session | None], None]
    ) -> None:
        """``keep`` is told every new session, and None when it is lost."""
        self.url = url
        self.key = key
        self.api = SessionApi(self)
        self._session = session
        self._keep = keep
        self._client: AsyncClient | None = None
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=True)
        self._on_token: Callable[[str], None] | None = None
        self._renewing = asyncio.Lock()

    async def client(self) -> AsyncClient:
        """The client of supabase-py."""
        if self._client is None:
            options = AsyncClientOptions(
                schema="chat",
                auto_refresh_token=False,
                persist_session=False,
                httpx_client=self._http,
                # Whether and when to try again is decided here.
                postgrest_client_retry=False,
            )
            self._client = await create_async_client(self.url, self.key, options)
            if self._session is not None:
                self._use(self._session)
        return self._client

    def on_token(self, hear: Callable[[str], None]) -> None:
        """Tell every new access token to somebody."""
        self._on_token = hear

    async def sign_in(self, email: str, password: str) -> Session:
        """Sign in with a password. Raises SignInRequired, Unreachable. Keeps nothing yet."""
        client = await self.client()
        return await self._authenticate(
            lambda: client.auth.sign_in_with_password({"email": email, "password": password})
        )

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

    async def access_token(self) -> str:
        """A token that is good for a while. Raises SignInRequired, Unreachable."""
        return (await self._good_session()).access_token

    async def pull(self, cursor: Cursor) -> Answer:
        """Call ``pull_changes``; its rows stay as they came (see ``kinds``)."""
        arguments = {"cursor": cursor}
        return Answer.read(await self.call(ChatApi.pull_changes.__name__, arguments, ANY))

    async def heads(self) -> Heads:
        """Call ``list_heads``."""
        return Heads.of(await self.api.list_heads())

    async def profiles(self, user_ids: Iterable[str]) -> list[ProfilesRow]:
        """Call ``list_profiles``."""
        return await self.api.list_profiles([UUID(each) for each in user_ids])

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

    async def select(self, table: str, filters: Mapping[str, str]) -> Sequence[Row]:
        """Read a table through its policies; ``filters`` are PostgREST's."""
        rows: list[Row] = []
        while True:
            # A project caps the rows of one answer, and does not say at how many.
            page = await self._select_page(table, {**filters, "offset": str(len(rows))})
            if not page:
                return rows
            rows += page

    async def _select_page(self, table: str, parameters: dict[str, str]) -> list[Row]:
        headers = {
            "apikey": self.key,
            "Authorization": f"Bearer {await self.access_token()}",
            "Accept-Profile": "chat",
        }
        try:
            answer = await self._http.get(
                f"{self.url}/rest/v1/{table}", params=parameters, headers=headers
            )
        except httpx.TransportError as error:
            raise Unreachable(f"The API did not answer: {error!r}.", "Try again.") from error
        if not answer.is_success:
            raise refusal_in(answer)
        return list(answer.json())

    async def sign_out(self) -> None:
        """End the session on this device."""
        self.begin(None)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _use(self, session: Session) -> None:
        if self._client is not None:
            self._client.postgrest.auth(session.access_token)
        if self._on_token is not None:
            self._on_token(session.access_token)

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
                fresh = await self._authenticate(
                    lambda: client.auth.refresh_session(session.refresh_token)
                )
            except SignInRequired:
                self.begin(None)
                raise
            self.begin(fresh)
            return fresh

    async def _authenticate(self, ask: Callable[[], Any]) -> Session:
        try:
            answer = await ask()
        except AuthRetryableError as error:
            raise Unreachable(f"Auth did not answer: {error}.", "Try again.") from error
        except AuthApiError as error:
            if error.status >= SERVER_ERROR or error.status == RATE_LIMITED:
                raise Unreachable(f"Auth did not answer: {error}.", "Try again.") from error
            raise SignInRequired(f"Auth refused: {error}.", SIGN_IN) from error
        except (AuthError, httpx.HTTPError) as error:
            raise Unreachable(f"Auth did not answer: {error!r}.", "Try again.") from error
        if answer.session is None:
            raise SignInRequired("Auth gave no session.", SIGN_IN)
        return Session(
            access_token=answer.session.access_token,
            refresh_token=answer.session.refresh_token,
            # By the clock of this device, which may be wrong as long as it runs.
            expires_at=int(time.time()) + answer.session.expires_in,
            user_id=UUID(answer.session.user.id),
        )
