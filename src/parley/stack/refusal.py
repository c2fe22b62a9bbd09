"""A request that the front door refuses, and its answer."""

from __future__ import annotations

from aiohttp import web


class RequestRefusal(Exception):
    """A request that is not handed on: the HTTP status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence

    @property
    def answer(self) -> web.Response:
        """The answer. The connection ends with it where a body was not read to its end."""
        response = web.json_response({"message": self.sentence}, status=self.status)
        if self.status in (408, 413):
            response.force_close()
        return response
