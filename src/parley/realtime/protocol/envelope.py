"""WebSocket frames that are built once and written to many sockets (RFC 6455, 5.2).

Servers do not mask their frames, so the bytes of a broadcast are the same for every client that
uses the same serializer. Building them once per serializer keeps a large fan-out cheap.
"""

from __future__ import annotations

import logging
import struct

from parley.realtime.protocol.messages import Outbound
from parley.realtime.protocol.serializer import Frame, Serializer

log = logging.getLogger(__name__)

FIN_TEXT = 0x81
FIN_BINARY = 0x82


def server_frame(data: Frame) -> bytes:
    """Wrap a text or binary payload into one unmasked, final WebSocket frame."""
    opcode, body = (FIN_TEXT, data.encode()) if isinstance(data, str) else (FIN_BINARY, data)
    size = len(body)
    if size < 126:
        header = struct.pack("!BB", opcode, size)
    elif size < 1 << 16:
        header = struct.pack("!BBH", opcode, 126, size)
    else:
        header = struct.pack("!BBQ", opcode, 127, size)
    return header + body


class Envelope:
    """A message and its frames, one per serializer, each built when a client first needs it."""

    __slots__ = ("_frames", "message")

    def __init__(self, message: Outbound) -> None:
        self.message = message
        self._frames: dict[str, bytes | None] = {}

    def frame(self, serializer: Serializer) -> bytes | None:
        """The WebSocket frame for one serializer; None when it cannot express the message."""
        version = serializer.version
        if version not in self._frames:
            data = serializer.encode(self.message)
            if data is None:
                log.debug(
                    "Serializer %s cannot express a message on %s; its clients do not get it",
                    version,
                    self.message.topic,
                )
            self._frames[version] = None if data is None else server_frame(data)
        return self._frames[version]
