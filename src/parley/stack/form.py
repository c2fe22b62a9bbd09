"""A file that comes in a form, as browsers and supabase-js send a Blob or a File.

Hosted Storage takes such a form, with the file under any name and two fields beside it. lite takes
only a form whose file is called ``file``, and no fields; but it takes a file as the body, with the
fields as headers. So the form is taken apart here.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
from collections.abc import AsyncIterator
from typing import IO

from aiohttp import BodyPartReader, hdrs, web

from parley.stack.body import FIRST_S, LEAST_RATE, Body
from parley.stack.refusal import RequestRefusal

MEMORY_BYTES = 1_000_000
"""A larger file is kept on disk until it is handed on."""
PIECE_BYTES = 65_536
FIELD_BYTES = 65_536


def is_upload(request: web.Request) -> bool:
    """Say whether a request stores a file that comes in a form."""
    return (
        request.method in (hdrs.METH_POST, hdrs.METH_PUT)
        and request.path.startswith("/storage/v1/object/")
        and request.content_type == "multipart/form-data"
    )


class FormBody(Body):
    """The file of a form as the body, and its fields as ``headers``."""

    def __init__(self, request: web.Request, most: int) -> None:
        super().__init__(request, most)
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115

    async def take_apart(self) -> None:
        """Read the form. Raises RequestRefusal."""
        clock = asyncio.get_running_loop().time
        limit = clock() + FIRST_S + self._most / LEAST_RATE
        try:
            async with asyncio.timeout_at(limit):
                headers = await self._read()
        except TimeoutError:
            raise RequestRefusal(408, "The body of the request comes too slowly.") from None
        except (ValueError, AssertionError, KeyError, web.HTTPException) as error:
            raise RequestRefusal(400, "The body is no form that can be read.") from error
        if hdrs.CONTENT_TYPE not in headers:
            raise RequestRefusal(400, "The form holds no file.")
        self.headers = {**headers, hdrs.CONTENT_LENGTH: str(self._file.tell())}

    async def _read(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        async for part in await self._request.multipart():
            if not isinstance(part, BodyPartReader):
                raise RequestRefusal(400, "A form inside the form is not taken.")
            if part.name == "cacheControl":
                headers[hdrs.CACHE_CONTROL] = f"max-age={(await self._field(part)).decode()}"
            elif part.name == "metadata":
                headers["x-metadata"] = base64.b64encode(await self._field(part)).decode()
            elif hdrs.CONTENT_TYPE not in headers:
                usual = "application/octet-stream"
                headers[hdrs.CONTENT_TYPE] = part.headers.get(hdrs.CONTENT_TYPE, usual)
                while piece := await part.read_chunk(PIECE_BYTES):
                    self._file.write(piece)
                    if self._file.tell() > self._most:
                        raise self._too_large()
        return headers

    async def _field(self, part: BodyPartReader) -> bytes:
        value = b""
        while piece := await part.read_chunk(PIECE_BYTES):
            value += piece
            if len(value) > FIELD_BYTES:
                raise RequestRefusal(413, f"A field of the form may have {FIELD_BYTES:,} bytes.")
        return value

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file, from its beginning each time."""
        self._file.seek(0)
        while piece := self._file.read(PIECE_BYTES):
            yield piece

    def close(self) -> None:
        """Forget the file."""
        self._file.close()
