"""realtime-py, with frames that are read without trusting them.

Other members send on ``live:`` topics whatever they like. realtime-py stops listening for good when
one frame of theirs makes a callback raise, drops the presence of a whole topic when one entry is
odd, and its WebSocket closes on a frame that is too large. So frames are read here: one that cannot
be read costs that frame.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient
from realtime.message import BroadcastMessage, ServerMessage, ServerMessageAdapter
from realtime.types import ChannelEvents
from websockets.exceptions import ConnectionClosedError
from websockets.frames import CloseCode

from parley.sync.roster import Roster

LARGEST_FRAME = 4_000_000
"""In bytes: the largest payload of a hosted project is 3,000 KB."""
PRESENCE_EVENTS = {str(ChannelEvents.presence_state.value), str(ChannelEvents.presence_diff.value)}
Hear = Callable[[str, str, Any], None]
"""Called with the topic, the event and its payload."""

logger = logging.getLogger(__name__)
# What the library would report as errors is the normal life of a client on the move.
logging.getLogger("realtime").setLevel(logging.CRITICAL)


class Pulse(AsyncRealtimeChannel):
    """The topic of heartbeats: notes when the server answered one."""

    answered: asyncio.Event

    def _handle_message(self, message: ServerMessage) -> None:
        self.answered.set()


class Topic(AsyncRealtimeChannel):
    """A topic with its presence, which is read without trusting it."""

    roster: Roster
    hear: Hear

    @property
    def name(self) -> str:
        """The topic as SQL knows it."""
        return self.topic.removeprefix("realtime:")

    def _handle_message(self, message: ServerMessage) -> None:
        if isinstance(message, BroadcastMessage):
            self.hear(self.name, message.payload["event"], message.payload["payload"])
        elif message.event in PRESENCE_EVENTS:
            self.take_presence(message.event, message.payload)
        else:
            super()._handle_message(message)

    def take_presence(self, event: str, payload: Any) -> None:
        """Take a state or a difference."""
        if event == ChannelEvents.presence_state:
            self.roster.replace(payload)
        else:
            self.roster.apply(payload)


class Client(AsyncRealtimeClient):
    """A client that goes on listening whatever a frame holds."""

    met_too_large = False
    """Whether the connection ended because of a frame that was too large."""

    async def _listen(self) -> None:
        connection = self._ws_connection
        if connection is None:
            return
        connection.protocol.max_size = LARGEST_FRAME
        try:
            async for frame in connection:
                try:
                    self.take(frame)
                except Exception:
                    logger.warning("a frame could not be taken", exc_info=True)
        except ConnectionClosedError as error:
            sent = error.sent
            self.met_too_large = sent is not None and sent.code == CloseCode.MESSAGE_TOO_BIG
            await self._on_connect_error(error)
        else:
            if self._ws_connection is connection:
                self._ws_connection = None
                self._set_channels_errored(connection.protocol.close_exc)

    def take(self, frame: str | bytes) -> None:
        """Take a frame that came in; one of no known form is passed over."""
        try:
            message = ServerMessageAdapter.validate_json(frame)
        except ValidationError:
            self._take_presence(frame)
            return
        channel = self.channels.get(message.topic)
        if channel is not None:
            channel._handle_message(message)

    def _take_presence(self, frame: str | bytes) -> None:
        """Take a presence frame in which one entry is odd: the people in the others count."""
        try:
            fields = json.loads(frame, parse_int=str)
        except (ValueError, RecursionError):
            return
        if isinstance(fields, dict) and fields.get("event") in PRESENCE_EVENTS:
            channel = self.channels.get(str(fields.get("topic")))
            if isinstance(channel, Topic):
                channel.take_presence(fields["event"], fields.get("payload"))
