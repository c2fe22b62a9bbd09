"""The one place where functions are called over HTTP, and where refusals become errors.

Generated code sits on ``AsyncCalls`` and ``SyncCalls``; both take the client of supabase-py as it
is, so sessions, keys and time limits are the client's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar, cast

import httpx
from postgrest.exceptions import APIError
from pydantic import TypeAdapter
from supabase import AsyncClient, Client

from parley.errors import (
    ApiError,
    InvalidInput,
    NotAllowed,
    ParleyError,
    SignInRequired,
    Unreachable,
)
from parley.wire import encode, parse

T = TypeVar("T")

UNAUTHORIZED = 401
TRY_AGAIN = "Check the network and the URL, then try again."


class AsyncCalls:
    """Calls functions of one schema through a supabase-py ``AsyncClient``."""

    def __init__(self, client: AsyncClient, schema: str) -> None:
        self._client = client
        self._schema = schema

    async def call(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """Call a function and return its result.

        ``arguments`` that are LEFT_OUT are not sent. Raises ApiError, or the subclass whose slug
        the function raised; Unreachable when no answer came.
        """
        rpc = self._client.schema(self._schema).rpc(function, encode(arguments))
        try:
            response = await cast(Awaitable[httpx.Response], rpc.request.send(httpx.Headers()))
        except httpx.TransportError as error:
            raise Unreachable(f"The API did not answer: {error!r}.", TRY_AGAIN) from error
        return read(response, result)


class SyncCalls:
    """Calls functions of one schema through a supabase-py ``Client``."""

    def __init__(self, client: Client, schema: str) -> None:
        self._client = client
        self._schema = schema

    def call(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """Call a function and return its result; as ``AsyncCalls.call``."""
        rpc = self._client.schema(self._schema).rpc(function, encode(arguments))
        try:
            response = rpc.request.send(httpx.Headers())
        except httpx.TransportError as error:
            raise Unreachable(f"The API did not answer: {error!r}.", TRY_AGAIN) from error
        return read(response, result)


def read(response: httpx.Response, result: TypeAdapter[T]) -> T:
    """Return the result that a response holds. Raises ApiError for a refusal."""
    if not response.is_success:
        raise refusal_in(response)
    value = parse(response.content) if response.content else None
    if isinstance(value, dict) and value and all(each is None for each in value.values()):
        # A function that returns no row: PostgREST prints the columns of the row all the same.
        value = None
    return result.validate_python(value)


def refusal_in(response: httpx.Response) -> ApiError:
    """Return the error that a response describes."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {"message": f"The API answered {response.status_code} {response.reason_phrase}."}
    wait = response.headers.get("Retry-After", "")
    return refusal(body, response.status_code, float(wait) if wait.isdigit() else None)


def refusal_of(error: APIError) -> ApiError:
    """Return the Parley error that a supabase-py error means.

    supabase-py drops status and headers: who is not signed in gets NotAllowed where only the
    status tells, and ``retry_after`` is not known.
    """
    return refusal(error.json(), None, None)


def refusal(body: Mapping[str, Any], status: int | None, retry_after: float | None) -> ApiError:
    """Return the error for PostgREST's ``{code, message, details, hint}``.

    ``status`` is that of the answer, ``retry_after`` its header in seconds.
    """
    code, message, detail, hint = (
        str(body.get(key) or "") for key in ("code", "message", "details", "hint")
    )
    kind = ParleyError.named(message)
    if not issubclass(kind, ApiError):
        kind = class_of_code(code, status)
        detail = f"{message} {detail}".strip()
    return kind(detail or message, hint, code=code, retry_after=retry_after)


def class_of_code(code: str, status: int | None) -> type[ApiError]:
    """Return the class for what Postgres or PostgREST refuse before a function of ours runs."""
    if code.startswith("PGRST30") or (code == "42501" and status == UNAUTHORIZED):
        return SignInRequired
    if code == "42501":
        return NotAllowed
    if code.startswith("22") and len(code) == 5:
        return InvalidInput
    return ApiError
