"""The numbers of ``chat_private.health()``, as Prometheus text at ``/metrics``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

KEEP_SECONDS = 10.0
"""Whoever asks more often gets the same answer: the database is asked no more than that."""
HEADERS = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}


class ChatMetrics:
    """Asks the database of one stack."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = asyncio.Lock()
        self._text = b""
        self._until = 0.0

    async def answer(self, _: web.Request) -> web.Response:
        """The numbers; 503 while the database is away or holds no Parley."""
        async with self._lock:
            if time.monotonic() >= self._until:
                try:
                    self._text = as_text(await self._ask())
                except psycopg.Error:
                    self._text = b""
                self._until = time.monotonic() + KEEP_SECONDS
        if not self._text:
            return web.Response(status=503, text="The database does not answer for the chat.\n")
        return web.Response(body=self._text, headers=HEADERS)

    async def _ask(self) -> dict[str, dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(
            self._url, connect_timeout=3, options="-c statement_timeout=5s"
        ) as connection:
            found = await (await connection.execute("select chat_private.health()")).fetchone()
        return found[0] if found is not None else {}


def as_text(health: dict[str, dict[str, Any]]) -> bytes:
    """Write each number as a gauge ``parley_<object>_<name>``; what is null is left out."""
    registry = CollectorRegistry()
    for name, unit, number in numbers(health):
        Gauge(name, f"{name} of chat_private.health(){unit}.", registry=registry).set(number)
    return generate_latest(registry)


def numbers(health: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, float]]:
    """Yield the name, the unit and the value of every number; ages are in seconds."""
    for part, facts in sorted(health.items()):
        for key, value in sorted(facts.items()):
            if isinstance(value, (int, float)):
                if key.endswith("age"):
                    yield f"parley_{part}_{key}_seconds", ", in seconds", value
                elif key.endswith("_ms"):
                    yield f"parley_{part}_{key[:-3]}_seconds", ", in seconds", value / 1000
                else:
                    yield f"parley_{part}_{key}", "", value
