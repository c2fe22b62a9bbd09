"""Listening: the right topics of the present epochs, on a connection that always comes back."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from typing import Any

from parley.errors import ParleyError, SignInRequired
from parley.models import RoomsRow
from parley.sync.backoff import Backoff
from parley.sync.socket import LIVE, SPARE, TENANT, Connector, Socket
from parley.sync.steps import HeadsByRoom
from parley.sync.topics import Topics

logger = logging.getLogger(__name__)
STEPS = frozenset({"changed", "epoch_changed"})
"""The events of a user topic or a room topic that are steps. Others, such as presence, are not."""
TABLE_CHANGED = "table_changed"
"""The event of a user topic or a tenant's dashboard that names tables of the project's own."""
REJOIN_S = 1.0
PULSE_S = 15.0
ZOMBIE_S = 5.0
SETTLED_S = 10.0
EPOCH_DELAY_S = 2.0
CROWD_EPOCH_DELAY_S = 30.0
CROWD = 500
RETRY_LEAST_S = 0.2
RETRY_MOST_S = 30.0
QUIET_S = 30.0
"""How long a live topic that was closed or flooded is left alone."""


class Listener:
    """The user topic, and the topics of open rooms, as one account."""

    def __init__(
        self,
        server: Connector,
        me: str,
        rooms: Set[str],
        room_row: Callable[[str], RoomsRow | None],
        *,
        hear: Callable[[Any], None],
        hear_member: Callable[[str, str, Any], None],
        hear_tables: Callable[[Any], None],
        tenants: Callable[[], Iterable[str]],
        want_heads: Callable[[], None],
        rng: random.Random,
    ) -> None:
        """``rooms`` are those that are open at any time.

        ``hear`` is given steps, ``hear_member`` the room, event and payload of what members send,
        and ``hear_tables`` what is announced of tables of the project's own. ``tenants`` returns
        those whose tables are in the copy.
        """
        self._server = server
        self._me = me
        self._room_row = room_row
        self._topics = Topics(me, rooms, room_row, tenants)
        self._hear_step = hear
        self._hear_member = hear_member
        self._hear_tables = hear_tables
        self._want_heads = want_heads
        self._rng = rng
        self._heard: dict[str | None, int] = {}
        self._socket: Socket | None = None
        self._joined_at = 0.0
        self._wake = asyncio.Event()
        self._tokens: asyncio.Queue[str] = asyncio.Queue()

    @property
    def is_live(self) -> bool:
        """Tell whether steps arrive by themselves now."""
        return (
            self._socket is not None
            and not self._socket.lost.is_set()
            and self._topics.user in self._socket.topics
        )

    @property
    def topics(self) -> frozenset[str]:
        """The topics that are joined now."""
        return frozenset() if self._socket is None else self._socket.topics

    def topic_of(self, room_id: str) -> str:
        """The live topic of a room."""
        return self._topics.live(room_id)

    def look_again(self) -> None:
        """Join and leave topics, as ``rooms`` has changed."""
        self._wake.set()

    def forget(self, room_id: str) -> None:
        """A room was closed."""
        self._topics.forget(room_id)
        self._wake.set()

    def present(self, room_id: str) -> frozenset[str]:
        """The ids under which devices appear on the live topic of a room."""
        return (
            frozenset()
            if self._socket is None
            else self._socket.present(self._topics.live(room_id))
        )

    async def broadcast(self, room_id: str, event: str, payload: dict[str, Any]) -> None:
        """Send to the others on the live topic of a room, if it is joined."""
        if self._socket is not None:
            await self._socket.broadcast(self._topics.live(room_id), event, payload)

    def renew(self, token: str) -> None:
        """Go on with a new token of the same account."""
        self._tokens.put_nowait(token)

    async def pass_tokens_on(self) -> None:
        """Give new tokens to the connection until cancelled."""
        while True:
            token = await self._tokens.get()
            if self._socket is not None:
                with suppress(Exception):
                    await self._socket.renew(token)

    def take_heads(self, heads: HeadsByRoom, news: Mapping[str | None, int]) -> None:
        """Take the epochs of topics, and the numbers of streams that only the heads told of."""
        self._topics.take_heads(heads)
        self._wake.set()
        # Right after joining, heads tell what was missed before.
        if news and self.is_live and time.monotonic() - self._joined_at > SETTLED_S:
            asyncio.get_running_loop().call_later(ZOMBIE_S, self._suspect, self._socket, news)

    async def run(self) -> None:
        """Listen until cancelled. Raises SignInRequired when the session is lost."""
        retry = Backoff(RETRY_LEAST_S, RETRY_MOST_S, self._rng)
        while True:
            socket = Socket(self._server.url, self._server.key, self._hear, self._rest)
            try:
                await socket.connect(await self._server.access_token())
                self._socket = socket
                await self._listen(socket, retry)
            except SignInRequired:
                raise
            except ParleyError as error:
                logger.debug("listening again later: %r", error)
            finally:
                if socket.met_too_large:
                    for topic in socket.topics:
                        self._rest(topic)
                self._socket = None
                await socket.close()
            await asyncio.sleep(retry.next())

    async def _listen(self, socket: Socket, retry: Backoff) -> None:
        """Hold the wanted topics until the connection is lost or silent."""
        next_pulse = time.time() + PULSE_S
        refused = False
        while not socket.lost.is_set():
            self._wake.clear()
            wanted = self._topics.wanted()
            for topic in socket.topics - wanted.keys():
                await socket.leave(topic)
            joined = [each for each in wanted.items() if each[0] not in socket.topics]
            outcomes = [await self._join(socket, topic, room_id) for topic, room_id in joined]
            refused = not all(outcomes)
            if joined:
                # What was said before we were in is found by comparing heads.
                self._want_heads()
                self._joined_at = time.monotonic()
            if joined and not refused:
                retry.reset()
            wait = REJOIN_S if refused or not self._topics.are_known else next_pulse - time.time()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(wait, 0), PULSE_S)):
                    await self._first(self._wake, socket.lost)
            late = time.time() - next_pulse
            # Further ahead than a pulse ever is: the clock of the device was set back.
            if late >= 0 or late < -PULSE_S:
                if late > PULSE_S:
                    # The device slept.
                    self._want_heads()
                await self._server.access_token()
                if not await socket.is_alive():
                    return
                next_pulse = time.time() + PULSE_S * self._rng.uniform(0.8, 1.0)

    def _rest(self, topic: str) -> None:
        """Leave a topic without steps alone for a while: it costs us more than it is worth."""
        kind, owner, _ = topic.split(":")
        if f"{kind}:" in SPARE:
            self._topics.rest(owner, QUIET_S)
            asyncio.get_running_loop().call_later(QUIET_S, self._wake.set)

    async def _first(self, *events: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _join(self, socket: Socket, topic: str, room_id: str | None) -> bool:
        is_live_topic = topic.startswith(LIVE)
        if not await socket.join(topic, self._me if is_live_topic else None):
            if topic.startswith(TENANT):
                # Whose tenant it is not any more is told by the next pull.
                self._rest(topic)
            return False
        if is_live_topic:
            await socket.track(topic, {"user_id": self._me})
        return True

    def _suspect(self, socket: Socket | None, news: Mapping[str | None, int]) -> None:
        """A topic that stays silent about what the heads told is joined in name only."""
        for stream, to in news.items():
            row = None if stream is None else self._room_row(stream)
            is_heard = stream is None or (row is not None and not row.is_large)
            if is_heard and self._heard.get(stream, 0) < to and socket is not None:
                socket.lost.set()

    def _hear(self, topic: str, event: str, payload: Any) -> None:
        kind, owner, _ = topic.split(":")
        if f"{kind}:" == LIVE:
            self._hear_member(owner, event, payload)
            return
        if event == TABLE_CHANGED:
            self._hear_tables(payload)
            return
        if event not in STEPS:
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
                self._rng.uniform(0, most), self._move_on, payload
            )
            return
        self._hear_step(payload)
        if event == "epoch_changed" and isinstance(payload.get("epoch"), int):
            self._topics.move(None, payload["epoch"])
            self._wake.set()

    def _move_on(self, payload: Mapping[str, Any]) -> None:
        """Follow a room to its next epoch: not all at the same moment."""
        if self._socket is None:
            # Whoever listens again compares heads.
            return
        if isinstance(payload.get("epoch"), int):
            self._topics.move(payload["room_id"], payload["epoch"])
            self._wake.set()
        self._hear_step(payload)
