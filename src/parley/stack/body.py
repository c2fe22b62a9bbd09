"""The body of a request on its way to lite: bounded in size and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from aiohttp import web

from parley.errors import StateUnusable
from parley.stack.refusal import RequestRefusal

MEGABYTE = 1_000_000
REST_BYTES = 16 * MEGABYTE
AUTH_BYTES = 1 * MEGABYTE
FUNCTION_BYTES = 20 * MEGABYTE
FORM_BYTES = 1 * MEGABYTE
"""How many bytes a form may have besides the file in it."""
FIRST_S = 30.0
"""How long a body may take besides the time of its bytes."""
LEAST_RATE = 1_000
"""Bytes a second; a body that comes in slower is refused."""
UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def bytes_of(size: str) -> int:
    """Read a size as config.toml has it (``50MiB``). Raises StateUnusable."""
    number = size.strip().upper().rstrip("BIKMG")
    unit = UNITS.get(size.strip().upper()[len(number) :].strip() or "B")
    try:
        return int(float(number) * (unit or 1))
    except ValueError as error:
        raise StateUnusable(
            f"The size “{size}” in supabase/config.toml cannot be read.", "Write it as 50MiB."
        ) from error


class Body:
    """The body of one request."""

    def __init__(self, request: web.Request, most: int) -> None:
        """``most`` is in bytes. Raises RequestRefusal when the request says that it has more."""
        self._request = request
        self._most = most
        self.headers: Mapping[str, str] = {}
        """Headers that replace those of the request."""
        self.refusal: RequestRefusal | None = None
        """Why the body was refused while it came in."""
        if (request.content_length or 0) > most:
            raise self._too_large()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes in. Raises RequestRefusal."""
        clock = asyncio.get_running_loop().time
        began, received = clock(), 0
        while True:
            try:
                async with asyncio.timeout_at(began + FIRST_S + received / LEAST_RATE):
                    chunk = await self._request.content.readany()
            except TimeoutError:
                self.refusal = RequestRefusal(408, "The body of the request comes too slowly.")
                raise self.refusal from None
            if not chunk:
                return
            received += len(chunk)
            if received > self._most:
                self.refusal = self._too_large()
                raise self.refusal
            yield chunk

    def _too_large(self) -> RequestRefusal:
        return RequestRefusal(413, f"The body of this request may have {self._most:,} bytes.")
