"""WebSocket frames that are built once and written to many sockets (RFC 6455, 5.2).

A server's frames are not masked, so the bytes of one broadcast are the same for every listener
of one serializer. Building them once is most of what makes a large fan-out cheap.
"""

from __future__ import annotations

import logging
import struct

from parley.realtime.messages import Outbound
from parley.realtime.serializer import Frame, Serializer

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
    """A message together with its frames, each built when the first listener needs it."""

    __slots__ = ("_frames", "message")

    def __init__(self, message: Outbound) -> None:
        self.message = message
        self._frames: dict[str, bytes | None] = {}

    def frame(self, serializer: Serializer) -> bytes | None:
        """The WebSocket frame for one serializer; None when it cannot carry the message."""
        version = serializer.version
        if version not in self._frames:
            data = serializer.encode(self.message)
            if data is None:
                log.debug("%s cannot carry a broadcast on %s", version, self.message.topic)
            self._frames[version] = None if data is None else server_frame(data)
        return self._frames[version]
