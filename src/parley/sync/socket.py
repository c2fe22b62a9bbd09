"""One connection to Realtime, used until the first thing goes wrong and then thrown away.

realtime-py gives up reconnecting after five tries, does not look at the answers to its heartbeats
and keeps channels that the server closed. So it never reconnects or rejoins here: a connection
reports that it is lost, and whoever holds it makes another.

A live topic, or one of a tenant, that the server closes costs that topic, and the topics that carry
steps go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from realtime import RealtimeChannelOptions, RealtimeSubscribeStates
from realtime.message import Message
from realtime.types import PHOENIX_CHANNEL, ChannelEvents

from parley.errors import Unreachable
from parley.sync.realtime_client import Client, Hear, Pulse, Topic
from parley.sync.roster import Roster

TIMEOUT_S = 10
NEVER_S = 10**9
LIVE = "live:"
TENANT = "tenant:"
SPARE = (LIVE, TENANT)
"""How the topics begin that no step travels under."""

logger = logging.getLogger(__name__)


class Connector(Protocol):
    """What is needed to connect to Realtime."""

    url: str
    key: str

    async def access_token(self) -> str:
        """A token that is good for a while. Raises SignInRequired, Unreachable."""


class Socket:
    """A connection and its joined topics."""

    def __init__(self, url: str, key: str, hear: Hear, fell: Callable[[str], None]) -> None:
        """``url`` is the project's; ``hear`` gets every broadcast.

        ``fell`` is called with a live topic, or one of a tenant, that the server closed.
        """
        self._client = Client(
            f"{url}/realtime/v1", key, auto_reconnect=False, hb_interval=NEVER_S, timeout=TIMEOUT_S
        )
        self._hear = hear
        self._fell = fell
        self._channels: dict[str, Topic] = {}
        self._pulse = Pulse(self._client, PHOENIX_CHANNEL)
        self._pulse.answered = asyncio.Event()
        self._client.channels[PHOENIX_CHANNEL] = self._pulse
        self.lost = asyncio.Event()
        """Set when the connection or a topic that carries steps is gone."""

    @property
    def topics(self) -> frozenset[str]:
        """What is joined."""
        return frozenset(self._channels)

    @property
    def met_too_large(self) -> bool:
        """Tell whether the connection was lost to a frame that was too large."""
        return self._client.met_too_large

    async def connect(self, token: str) -> None:
        """Connect as the person of this token. Raises Unreachable."""
        try:
            await self._client.connect()
            await self._client.set_auth(token)
        except Exception as error:
            raise Unreachable(f"Realtime did not answer: {error!r}.", "Try again.") from error

    async def renew(self, token: str) -> None:
        """Go on with a new token of the same person."""
        await self._client.set_auth(token)

    async def join(self, topic: str, presence_key: str | None) -> bool:
        """Join a private topic; tells whether the server let us in."""
        options: RealtimeChannelOptions = {
            "config": {
                "private": True,
                "broadcast": {"ack": False, "self": False},
                "presence": {"key": presence_key or "", "enabled": presence_key is not None},
            }
        }
        channel = Topic(self._client, f"realtime:{topic}", options)
        channel.roster, channel.hear = Roster(), self._hear
        self._client.channels[channel.topic] = channel

        def note(state: RealtimeSubscribeStates, _: Exception | None) -> None:
            if state is RealtimeSubscribeStates.SUBSCRIBED:
                self._channels[topic] = channel
            elif self._channels.get(topic) is not channel:
                return
            elif topic.startswith(SPARE) and self._client.is_connected:
                del self._channels[topic]
                # Left alone, the library joins it again by itself.
                channel.rejoin_timer.reset()
                self._fell(topic)
            else:
                self.lost.set()

        try:
            await channel.subscribe(note)
        except Exception:
            self.lost.set()
            return False
        if topic not in self._channels:
            # Left alone, the library tries the same topic for ever.
            await self._client.remove_channel(channel)
            return False
        return True

    async def leave(self, topic: str) -> None:
        """Leave a topic."""
        await self._client.remove_channel(self._channels.pop(topic))

    async def broadcast(self, topic: str, event: str, payload: dict[str, Any]) -> None:
        """Send an event that nobody stores; nothing happens when the topic is not joined."""
        if topic in self._channels:
            await self._channels[topic].send_broadcast(event, payload)

    async def track(self, topic: str, payload: dict[str, Any]) -> None:
        """Tell the others on a topic that we are here."""
        if topic in self._channels:
            await self._channels[topic].track(payload)

    def present(self, topic: str) -> frozenset[str]:
        """The ids under which devices appear on a topic."""
        channel = self._channels.get(topic)
        return frozenset() if channel is None or self.lost.is_set() else channel.roster.people

    async def is_alive(self) -> bool:
        """Ask for a heartbeat; tells whether the server answered in time."""
        if not self._client.is_connected:
            return False
        self._pulse.answered.clear()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._client.send(
                    Message(
                        topic=PHOENIX_CHANNEL, event=ChannelEvents.heartbeat, payload={}, ref=None
                    )
                )
                await self._pulse.answered.wait()
        except Exception:
            return False
        return True

    async def close(self) -> None:
        """Close the connection, whatever state it is in."""
        self._channels.clear()
        try:
            async with asyncio.timeout(1):
                await self._client.close()
        except Exception:
            logger.debug("closing", exc_info=True)
