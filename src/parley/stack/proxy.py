"""The part of the front door that hands requests on to lite, and mends its answers.

lite prints timestamps as Postgres does (``2026-11-21 01:07:53.05+00``), where PostgREST and Auth
print RFC 3339. supabase-py refuses the former, so in JSON answers the values of keys that are
called like a time (``created_at``, ``muted_until``) are rewritten. In a JSON text a quote inside
a string is escaped, so what looks like such a pair in the text of a message is left alone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

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


class Proxy:
    """Streams requests to one upstream, ``http://host:port`` without a path.

    Made while the loop runs, and closed with ``close``.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
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
        """Hand a request on, waiting for lite while it is restarted; 503 when that takes long."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + PATIENCE_SECONDS
        while True:
            try:
                answer = await self._ask(request)
            except aiohttp.ClientConnectorError:
                # Nothing has been sent, so that it may be tried again whatever it is.
                if clock() > deadline:
                    return away("REST, Auth and Storage do not answer.")
                await asyncio.sleep(RETRY_SECONDS)
            except aiohttp.ClientConnectionError:
                return away("REST, Auth and Storage ended before they answered.")
            else:
                break
        async with answer:
            if needs_mending(request, answer):
                return await mended(answer)
            return await streamed(request, answer)

    async def _ask(self, request: web.Request) -> aiohttp.ClientResponse:
        headers = without(request.headers, CONNECTION_HEADERS | {"host", "accept-encoding"})
        headers[hdrs.ACCEPT_ENCODING] = "identity"
        headers[hdrs.X_FORWARDED_HOST] = request.host
        headers[hdrs.X_FORWARDED_PROTO] = request.scheme
        return await self._session.request(
            request.method,
            URL(f"{self.upstream}{request.raw_path}", encoded=True),
            headers=headers,
            data=request.content if request.can_read_body else None,
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


def needs_mending(request: web.Request, answer: aiohttp.ClientResponse) -> bool:
    """Say whether an answer is uncompressed JSON that may hold timestamps of lite."""
    return (
        request.method != hdrs.METH_HEAD
        and request.path.startswith(MENDED_PREFIXES)
        and "json" in answer.content_type
        and hdrs.CONTENT_ENCODING not in answer.headers
    )


async def mended(answer: aiohttp.ClientResponse) -> web.Response:
    """Return the whole answer with timestamps as in RFC 3339."""
    body = mend(await answer.read())
    headers = without(answer.headers, CONNECTION_HEADERS | {"content-length"})
    return web.Response(status=answer.status, reason=answer.reason, headers=headers, body=body)


def mend(body: bytes) -> bytes:
    """Rewrite the timestamps of a JSON text as in RFC 3339."""
    return TIMESTAMP.sub(rb'"\1":"\2T\3+00:00"', body)


async def streamed(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Pass the answer on as it comes in."""
    headers = without(answer.headers, CONNECTION_HEADERS)
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


def away(message: str) -> web.Response:
    """Return a 503 that says why."""
    return web.json_response({"message": message}, status=503, headers={"Retry-After": "1"})


def without(headers: Mapping[str, str], names: set[str]) -> CIMultiDict[str]:
    """Return a copy of headers without the ones of these lower-case names."""
    return CIMultiDict((key, value) for key, value in headers.items() if key.lower() not in names)
