"""The one place where functions are called over HTTP, and where refusals become errors.

Generated code sits on ``AsyncCalls`` and ``SyncCalls``; both take the client of supabase-py as it
is, so sessions, keys and time limits are the client's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar, cast

import httpx
from postgrest.exceptions import APIError
from pydantic import TypeAdapter, ValidationError
from supabase import AsyncClient, Client

from parley.errors import (
    AnswerRefused,
    ApiError,
    InvalidInput,
    NotAllowed,
    ParleyError,
    SignInRequired,
    Unreachable,
)
from parley.wire import encode, first_fault, parse

T = TypeVar("T")

UNAUTHORIZED = 401
TRY_AGAIN = "Check the network and the URL, then try again."
NONSENSE = "Try again later; if it stays like that, client and server do not fit together."
WAIT_S = re.compile(r"[0-9]{1,9}")


class AsyncCalls:
    """Calls functions of one schema through a supabase-py ``AsyncClient``."""

    def __init__(
        self, client: AsyncClient, schema: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """``headers`` are sent with every call, besides those of the client."""
        self._client = client
        self._schema = schema
        self._headers = headers

    async def call(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """Call a function and return its result.

        ``arguments`` that are LEFT_OUT are not sent. Raises ApiError, or the subclass whose slug
        the function raised; Unreachable when no answer came, AnswerRefused for one that makes no
        sense; InvalidInput for arguments that are no JSON.
        """
        rpc = self._client.schema(self._schema).rpc(function, encoded(arguments))
        try:
            response = await cast(
                Awaitable[httpx.Response], rpc.request.send(httpx.Headers(self._headers))
            )
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise Unreachable(
                f"The API did not answer: {error or type(error).__name__}.", TRY_AGAIN
            ) from error
        return read(response, result)

    async def read(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """Call a function that only reads, as ``call``."""
        return await self.call(function, arguments, result)


class SyncCalls:
    """Calls functions of one schema through a supabase-py ``Client``."""

    def __init__(self, client: Client, schema: str) -> None:
        self._client = client
        self._schema = schema

    def call(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """Call a function and return its result; as ``AsyncCalls.call``."""
        rpc = self._client.schema(self._schema).rpc(function, encoded(arguments))
        try:
            response = rpc.request.send(httpx.Headers())
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise Unreachable(
                f"The API did not answer: {error or type(error).__name__}.", TRY_AGAIN
            ) from error
        return read(response, result)

    def read(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """Call a function that only reads, as ``call``."""
        return self.call(function, arguments, result)


def encoded(arguments: Mapping[str, Any]) -> Any:
    """Return arguments as they are sent. Raises InvalidInput when they are no JSON."""
    try:
        value = encode(arguments)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (RecursionError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"An argument cannot be sent as JSON: {error}.",
            "Give whole characters, finite numbers, and lists and objects of these.",
        ) from error
    return value


def read(response: httpx.Response, result: TypeAdapter[T]) -> T:
    """Return the result that a response holds. Raises ApiError for a refusal, AnswerRefused."""
    if not response.is_success:
        raise refusal_in(response)
    value = read_json(response)
    if isinstance(value, dict) and value and all(each is None for each in value.values()):
        # A function that returns no row: PostgREST prints the columns of the row all the same.
        value = None
    try:
        return result.validate_python(value)
    except (RecursionError, ValidationError) as error:
        raise AnswerRefused(
            f"The API's answer makes no sense: {first_fault(error)}.", NONSENSE
        ) from error


def read_json(response: httpx.Response) -> Any:
    """Return the JSON of a response, None when it is empty. Raises AnswerRefused."""
    try:
        return parse(response.content) if response.content else None
    except ValueError as error:
        raise AnswerRefused(f"The API's answer is no JSON: {error}.", NONSENSE) from error


def refusal_in(response: httpx.Response) -> ApiError:
    """Return the error that a response describes."""
    try:
        body = read_json(response)
    except AnswerRefused:
        body = None
    if not isinstance(body, dict):
        body = {"message": f"The API answered {response.status_code} {response.reason_phrase}."}
    wait = response.headers.get("Retry-After", "")
    return refusal(body, response.status_code, float(wait) if WAIT_S.fullmatch(wait) else None)


def refusal_of(error: APIError) -> ApiError:
    """Return the Parley error that a supabase-py error means.

    supabase-py drops status and headers. So a caller who is not signed in gets NotAllowed where
    only the status tells the difference, and ``retry_after`` is not known.
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
