"""A server of one's own: every function of ``chat``, as any person or bot, with the secret key.

async with parley.server(url, secret_key) as server:
    bot = await server.api.create_bot("Helper")
    helper = server.acting_as(bot.user_id)
    room = await helper.create_room("Order 4711", member_ids=[customer])
    await helper.send_message(room.id, "How can I help?", uuid4())

There are functions here and no tables: a table that is read with the secret key acts as nobody and
shows everything, whatever the header says.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self
from uuid import UUID

import httpx
from supabase import AsyncClient, AsyncClientOptions

from parley.api import ChatApi
from parley.calls import AsyncCalls
from parley.errors import InvalidInput

ACTING_AS = "x-parley-user"
TIMEOUT_S = 30.0


class ActingApi(ChatApi):
    """The functions of ``chat`` as somebody whom a server names."""

    def __init__(self, client: AsyncClient, user_id: UUID) -> None:
        self._calls = AsyncCalls(client, "chat", {ACTING_AS: str(user_id)})


class Server:
    """A Supabase project, with its secret key. Use it as a context manager, or call ``close``."""

    def __init__(self, url: str, secret_key: str) -> None:
        """Connects with the first call. Raises InvalidInput for what is no URL or key."""
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=True)
        options = AsyncClientOptions(
            schema="chat",
            auto_refresh_token=False,
            persist_session=False,
            httpx_client=self._http,
            # A call that may have arrived is not repeated behind the caller's back.
            postgrest_client_retry=False,
        )
        try:
            self._client = AsyncClient(url, secret_key, options)
        except Exception as error:
            raise InvalidInput(
                f"{url!r} and the key are not those of a project: {error}.",
                "Take the URL and the secret key from 'parley status', or from the API settings.",
            ) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def api(self) -> ChatApi:
        """Every function as the project itself, such as ``create_bot``.

        Functions that need a person raise SignInRequired. Methods raise ApiError, Unreachable.
        """
        return ChatApi(self._client)

    def acting_as(self, user_id: UUID | str) -> ChatApi:
        """Every function as a person or a bot, under the same rules as if they had called it.

        The methods raise UserNotFound where nobody with an open account has that id, ApiError and
        Unreachable. Raises InvalidInput for what is no id.
        """
        try:
            return ActingApi(self._client, UUID(str(user_id)))
        except ValueError as error:
            raise InvalidInput(f"{user_id!r} is no id.", "Pass the id of an account.") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def server(url: str, secret_key: str) -> Server:
    """Return a server for a project. Keep the key out of apps: it acts as everybody."""
    return Server(url, secret_key)
