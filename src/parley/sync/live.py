"""Listening: the right topics of the present epochs, on a connection that always comes back."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from parley.errors import ParleyError, SignInRequired
from parley.models import RoomsRow
from parley.sync.backoff import Backoff
from parley.sync.engine import Engine
from parley.sync.socket import Socket
from parley.sync.steps import Heads

logger = logging.getLogger(__name__)
REJOIN_S = 1.0
PULSE_S = 15.0
ZOMBIE_S = 5.0
SETTLED_S = 10.0
EPOCH_DELAY_S = 2.0
CROWD_EPOCH_DELAY_S = 30.0
CROWD = 500
RETRY_LEAST_S = 0.2
RETRY_MOST_S = 30.0
TYPING_EVERY_S = 3.0
TYPING_LASTS_S = 6.0


class Tokens(Protocol):
    """Where access tokens come from."""

    url: str
    key: str

    async def access_token(self) -> str:
        """A token that is good for a while. Raises SignInRequired, Unreachable."""


class Live:
    """The user topic, and the topics of rooms on screen."""

    def __init__(
        self,
        tokens: Tokens,
        engine: Engine,
        me: str,
        room_row: Callable[[str], RoomsRow | None],
        chance: random.Random | None = None,
    ) -> None:
        """``room_row`` returns the row of a room in the copy."""
        self._tokens = tokens
        self._engine = engine
        self._me = me
        self._room_row = room_row
        self._chance = chance or random.Random()  # noqa: S311
        self._open: set[str] = set()
        self._epochs: dict[str | None, int] = {}
        self._heard: dict[str | None, int] = {}
        self._socket: Socket | None = None
        self._joined_at = 0.0
        self._wake = asyncio.Event()
        self._typed: dict[str, float] = {}
        self._typists: dict[str, dict[str, float]] = {}
        engine.on_heads = self._take_heads

    @property
    def is_live(self) -> bool:
        """Tell whether steps arrive by themselves now."""
        return (
            self._socket is not None
            and not self._socket.lost.is_set()
            and f"user:{self._me}:{self._epochs.get(None)}" in self._socket.topics
        )

    @property
    def topics(self) -> frozenset[str]:
        """The topics that are joined now."""
        return frozenset() if self._socket is None else self._socket.topics

    def open(self, room_id: str) -> None:
        """Listen to a room on screen."""
        self._open.add(room_id)
        self._wake.set()

    def close(self, room_id: str) -> None:
        """A room left the screen."""
        self._open.discard(room_id)
        self._wake.set()

    async def typing(self, room_id: str) -> None:
        """Tell an open room that we are typing, at most every three seconds."""
        now = time.monotonic()
        if self._socket is not None and now - self._typed.get(room_id, -100) >= TYPING_EVERY_S:
            self._typed[room_id] = now
            topic = f"live:{room_id}:{self._epochs.get(room_id)}"
            await self._socket.broadcast(topic, "typing", {"user_id": self._me})

    def typists(self, room_id: str) -> frozenset[str]:
        """Who typed in an open room within the last six seconds."""
        now = time.monotonic()
        typed = self._typists.get(room_id, {})
        return frozenset(each for each, at in typed.items() if now - at < TYPING_LASTS_S)

    def present(self, room_id: str) -> frozenset[str]:
        """Who has an open room on screen, as their devices say."""
        if self._socket is None:
            return frozenset()
        return self._socket.present(f"live:{room_id}:{self._epochs.get(room_id)}")

    async def run(self) -> None:
        """Listen until cancelled. Raises SignInRequired when the session is lost."""
        retry = Backoff(RETRY_LEAST_S, RETRY_MOST_S, self._chance)
        while True:
            socket = Socket(self._tokens.url, self._tokens.key, self._hear)
            try:
                await socket.connect(await self._tokens.access_token())
                self._socket = socket
                await self._listen(socket, retry)
            except SignInRequired:
                raise
            except ParleyError as error:
                logger.debug("listening again later: %r", error)
            finally:
                self._socket = None
                await socket.close()
            await asyncio.sleep(retry.next())

    async def renew(self, token: str) -> None:
        """Go on with a new token."""
        if self._socket is not None:
            with suppress(Exception):
                await self._socket.renew(token)

    async def _listen(self, socket: Socket, retry: Backoff) -> None:
        """Hold the wanted topics until the connection is lost or silent."""
        next_pulse = time.time() + PULSE_S
        refused = False
        while not socket.lost.is_set():
            self._wake.clear()
            wanted = self._wanted()
            for topic in socket.topics - wanted.keys():
                await socket.leave(topic)
            joined = [each for each in wanted.items() if each[0] not in socket.topics]
            outcomes = [await self._join(socket, topic, room_id) for topic, room_id in joined]
            refused = not all(outcomes)
            if joined:
                # What was said before we were in is found by comparing heads.
                self._engine.want_heads()
                self._joined_at = time.monotonic()
            if joined and not refused:
                retry.reset()
            wait = REJOIN_S if refused or None not in self._epochs else next_pulse - time.time()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(wait, 0), PULSE_S)):
                    await self._first(self._wake, socket.lost)
            late = time.time() - next_pulse
            # Further ahead than a pulse ever is: the clock of the device was set back.
            if late >= 0 or late < -PULSE_S:
                if late > PULSE_S:
                    # The device slept.
                    self._engine.want_heads()
                await self._tokens.access_token()
                if not await socket.is_alive():
                    return
                next_pulse = time.time() + PULSE_S * self._chance.uniform(0.8, 1.0)

    async def _first(self, *events: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _join(self, socket: Socket, topic: str, room_id: str | None) -> bool:
        is_live_topic = topic.startswith("live:")
        if not await socket.join(topic, self._me if is_live_topic else None):
            return False
        if is_live_topic:
            await socket.track(topic, {"user_id": self._me})
        return True

    def _wanted(self) -> dict[str, str | None]:
        """The topics to hold, with the room of each."""
        wanted: dict[str, str | None] = {}
        if None in self._epochs:
            wanted[f"user:{self._me}:{self._epochs[None]}"] = None
        for room_id in self._open & self._epochs.keys():
            epoch = self._epochs[room_id]
            wanted[f"live:{room_id}:{epoch}"] = room_id
            row = self._room_row(room_id)
            if row is not None and row.is_large:
                wanted[f"room:{room_id}:{epoch}"] = room_id
        return wanted

    def _take_heads(self, heads: Heads, news: Mapping[str | None, int]) -> None:
        self._epochs = {room_id: head.epoch for room_id, head in heads.rooms.items()}
        self._epochs[None] = heads.user.epoch
        self._wake.set()
        # Right after joining, heads tell what was missed before.
        if news and self.is_live and time.monotonic() - self._joined_at > SETTLED_S:
            asyncio.get_running_loop().call_later(ZOMBIE_S, self._suspect, self._socket, news)

    def _suspect(self, socket: Socket | None, news: Mapping[str | None, int]) -> None:
        """A topic that stays silent about what the heads told is joined in name only."""
        for stream, to in news.items():
            row = None if stream is None else self._room_row(stream)
            is_heard = stream is None or (row is not None and not row.is_large)
            if is_heard and self._heard.get(stream, 0) < to and socket is not None:
                socket.lost.set()

    def _hear(self, topic: str, event: str, payload: Any) -> None:
        kind, owner, _ = topic.split(":")
        if kind == "live":
            if event == "typing" and isinstance(payload.get("user_id"), str):
                self._typists.setdefault(owner, {})[payload["user_id"]] = time.monotonic()
            return
        stream = payload.get("room_id")
        to = payload.get("to")
        if isinstance(to, int):
            self._heard[stream] = max(to, self._heard.get(stream, 0))
        if event == "epoch_changed" and stream is not None:
            row = self._room_row(stream)
            crowd = row is not None and row.member_count > CROWD
            most = CROWD_EPOCH_DELAY_S if crowd else EPOCH_DELAY_S
            asyncio.get_running_loop().call_later(
                self._chance.uniform(0, most), self._move_on, payload
            )
            return
        self._engine.hear(payload)
        if event == "epoch_changed" and isinstance(payload.get("epoch"), int):
            self._epochs[None] = payload["epoch"]
            self._wake.set()

    def _move_on(self, payload: Mapping[str, Any]) -> None:
        """Follow a room to its next epoch: not all at the same moment."""
        if self._socket is None:
            # Whoever listens again compares heads.
            return
        if isinstance(payload.get("epoch"), int):
            self._epochs[payload["room_id"]] = payload["epoch"]
            self._wake.set()
        self._engine.hear(payload)
