"""The proxy of the front door: it hands requests on to lite and corrects lite's timestamps.

Only the paths of the three services are handed on (``paths``), with bodies that are bounded in size
and time (``body``). Answers go out piece by piece; a client that does not take a piece in time is
cut off.

lite prints timestamps as Postgres does (``2026-11-21 01:07:53.05+00``), where PostgREST and Auth
print RFC 3339. supabase-py refuses the former, so in JSON answers the values of keys that are
called like a time (``created_at``, ``muted_until``) are rewritten. In a JSON text a quote inside
a string is escaped, so what looks like such a pair in the text of a message is left alone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import closing

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from parley.stack.body import AUTH_BYTES, FORM_BYTES, FUNCTION_BYTES, REST_BYTES, Body
from parley.stack.form import FormBody, is_upload
from parley.stack.keys import APIKEY
from parley.stack.paths import admit, admit_function
from parley.stack.refusal import RequestRefusal

TIMESTAMP = re.compile(
    rb'"((?:\w+_)?(?:at|until))":"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00"'
)
CONNECTION_HEADERS = {
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
MENDED_PREFIXES = ("/auth/v1", "/rest/v1", "/storage/v1/bucket", "/storage/v1/object/list")
PATIENCE_SECONDS = 5.0
RETRY_SECONDS = 0.05
PROBE_SECONDS = 3.0
# lite closes a connection that was idle for five seconds.
KEEP_ALIVE_SECONDS = 3.0
PIECE_BYTES = 65_536
PIECE_SECONDS = 60.0
"""How long a client may take to receive a piece of an answer."""


class Proxy:
    """Streams requests to one upstream, ``http://host:port`` without a path.

    ``admit`` returns the path to ask for, or raises RequestRefusal. ``most`` returns how many bytes
    a body may have. ``key_of`` returns the value that replaces the header ``apikey``. Make it while
    an event loop runs, and close it with ``close``.
    """

    def __init__(
        self,
        upstream: str,
        admit: Callable[[str], str],
        most: Callable[[str], int],
        key_of: Callable[[str], str],
    ) -> None:
        self.upstream = upstream
        self._admit = admit
        self._most = most
        self._key_of = key_of
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Hand a request on, or say why not."""
        try:
            path, mark, query = request.raw_path.partition("?")
            target = f"{self._admit(path)}{mark}{query}"
            if not is_upload(request):
                return await self._hand_on(request, target, Body(request, self._most(path)))
            with closing(FormBody(request, self._most(path))) as form:
                await form.take_apart()
                return await self._hand_on(request, target, form)
        except RequestRefusal as refusal:
            return refusal.answer

    async def _hand_on(self, request: web.Request, target: str, body: Body) -> web.StreamResponse:
        """Wait for lite while it is restarted; 503 when that takes long. Raises RequestRefusal."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + PATIENCE_SECONDS
        while True:
            try:
                answer = await self._ask(request, target, body)
            except aiohttp.ClientConnectorError:
                # Nothing has been sent yet, so it is safe to try any request again.
                if clock() > deadline:
                    return away("REST, Auth and Storage do not answer.")
                await asyncio.sleep(RETRY_SECONDS)
            except aiohttp.ClientConnectionError:
                if body.refusal is not None:
                    raise body.refusal from None
                return away("REST, Auth and Storage ended before they answered.")
            else:
                break
        async with answer:
            if needs_mending(request, answer):
                return await mended(request, answer)
            return await streamed(request, answer)

    async def _ask(self, request: web.Request, target: str, body: Body) -> aiohttp.ClientResponse:
        headers = without(request.headers, CONNECTION_HEADERS | {"host", "accept-encoding"})
        headers[hdrs.ACCEPT_ENCODING] = "identity"
        key = headers.get(APIKEY) or request.query.get(APIKEY)
        if key is not None:
            headers[APIKEY] = self._key_of(key)
        headers.update(body.headers)
        if request.body_exists and request.path.startswith("/storage/"):
            # lite refuses a file without reading it, and the rest of it would meet the next one.
            headers[hdrs.CONNECTION] = "close"
        headers[hdrs.X_FORWARDED_HOST] = request.host
        headers[hdrs.X_FORWARDED_PROTO] = request.scheme
        return await self._session.request(
            request.method,
            URL(f"{self.upstream}{target}", encoded=True),
            headers=headers,
            data=body.chunks() if request.body_exists else None,
            allow_redirects=False,
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.CONTENT_TYPE),
        )

    async def is_reachable(self) -> bool:
        """Say whether lite answers at all."""
        try:
            async with (
                asyncio.timeout(PROBE_SECONDS),
                self._session.get(f"{self.upstream}/auth/v1/health"),
            ):
                return True
        except (aiohttp.ClientConnectionError, TimeoutError):
            return False


def lite_proxy(upstream: str, file_bytes: int, key_of: Callable[[str], str]) -> Proxy:
    """The proxy for REST, Auth and Storage; ``file_bytes`` is the largest file to be stored."""
    most = {"rest": REST_BYTES, "auth": AUTH_BYTES, "storage": file_bytes + FORM_BYTES}
    return Proxy(upstream, admit, lambda path: most[path.split("/")[1]], key_of)


def functions_proxy(upstream: str) -> Proxy:
    """The proxy for Edge Functions."""
    return Proxy(upstream, admit_function, lambda _: FUNCTION_BYTES, lambda key: key)


def needs_mending(request: web.Request, answer: aiohttp.ClientResponse) -> bool:
    """Say whether an answer is uncompressed JSON that may hold timestamps of lite."""
    return (
        request.method != hdrs.METH_HEAD
        and request.path.startswith(MENDED_PREFIXES)
        and "json" in answer.content_type
        and hdrs.CONTENT_ENCODING not in answer.headers
    )


async def mended(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Pass the whole answer on with timestamps as in RFC 3339."""
    body = mend(await answer.read())
    response = response_to(answer, {"content-length"})
    response.content_length = len(body)
    return await sent(request, response, pieces_of(body))


async def pieces_of(body: bytes) -> AsyncIterator[bytes]:
    """Cut a body into pieces."""
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


def mend(body: bytes) -> bytes:
    """Rewrite the timestamps of a JSON text as in RFC 3339."""
    return TIMESTAMP.sub(rb'"\1":"\2T\3+00:00"', body)


async def streamed(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Pass the answer on as it comes in."""
    pieces = answer.content.iter_chunked(PIECE_BYTES)
    return await sent(request, response_to(answer, set()), pieces)


def response_to(answer: aiohttp.ClientResponse, dropped: set[str]) -> web.StreamResponse:
    """Begin a response with the status and the headers of an answer."""
    headers = without(answer.headers, CONNECTION_HEADERS | dropped)
    return web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)


async def sent(
    request: web.Request, response: web.StreamResponse, pieces: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Send an answer piece by piece, or cut off a client that does not take them in time."""
    await response.prepare(request)
    try:
        async for piece in pieces:
            async with asyncio.timeout(PIECE_SECONDS):
                await response.write(piece)
    except (TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()
    return response


def away(message: str) -> web.Response:
    """Return a 503 that says why."""
    return web.json_response({"message": message}, status=503, headers={"Retry-After": "1"})


def without(headers: Mapping[str, str], names: set[str]) -> CIMultiDict[str]:
    """Return a copy of headers without the ones of these lower-case names."""
    return CIMultiDict((key, value) for key, value in headers.items() if key.lower() not in names)
