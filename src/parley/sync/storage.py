"""Files on their way to and from the Storage of a project, with the session of one account."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import httpx

from parley.calls import read_json
from parley.errors import (
    AnswerRefused,
    ApiError,
    FileNotFound,
    InvalidInput,
    NotAllowed,
    PayloadTooLarge,
    SignInRequired,
    SlowDown,
)
from parley.sync.remote import Server

BUCKET = "chat-attachments"
THERE = 409
BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidInput,
    401: SignInRequired,
    403: NotAllowed,
    404: FileNotFound,
    413: PayloadTooLarge,
    415: InvalidInput,
    422: InvalidInput,
    429: SlowDown,
}


class Storage:
    """The bucket of attachments."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def upload(
        self, path: str, mime_type: str, size: int, content: Callable[[], AsyncIterator[bytes]]
    ) -> None:
        """Upload a file. One that is there already was uploaded before, since its name is ours.

        Raises NotAllowed, PayloadTooLarge, InvalidInput, SignInRequired, Unreachable, ApiError.
        """
        answer = await self._server.request(
            "POST",
            f"/storage/v1/object/{BUCKET}/{quote(path)}",
            headers={
                "Content-Type": mime_type,
                "Content-Length": str(size),
                "cache-control": "max-age=3600",
                "x-upsert": "false",
            },
            content=content,
        )
        if not answer.is_success and status_of(answer) != THERE:
            raise refusal_in(answer)

    async def download(self, path: str, width: int | None) -> bytes:
        """Fetch a file; with a width, the image made smaller where the project does that.

        Raises FileNotFound, SignInRequired, Unreachable, ApiError.
        """
        if width is not None:
            answer = await self._server.request(
                "GET",
                f"/storage/v1/render/image/authenticated/{BUCKET}/{quote(path)}",
                parameters={"width": str(width), "resize": "contain"},
            )
            if answer.is_success:
                return answer.content
        answer = await self._server.request("GET", f"/storage/v1/object/{BUCKET}/{quote(path)}")
        if not answer.is_success:
            error = refusal_in(answer)
            # A file that is not for this account looks absent.
            raise FileNotFound(error.detail) if isinstance(error, InvalidInput) else error
        return answer.content


def status_of(answer: httpx.Response) -> int:
    """The status that Storage means: a hosted one says 400 and writes it into the body."""
    try:
        body = read_json(answer)
    except AnswerRefused:
        body = None
    said = str(body.get("statusCode")) if isinstance(body, dict) else ""
    return int(said) if re.fullmatch("[0-9]{3}", said) else answer.status_code


def refusal_in(answer: httpx.Response) -> ApiError:
    """The error that an answer of Storage describes."""
    try:
        body = read_json(answer)
    except AnswerRefused:
        body = None
    message = str(body.get("message") or body.get("error")) if isinstance(body, dict) else ""
    kind = BY_STATUS.get(status_of(answer), ApiError)
    return kind(f"Storage refused it: {message or answer.reason_phrase}.", "Check the file.")
