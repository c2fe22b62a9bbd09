"""The two serializers of Realtime: version 1.0.0 (JSON objects) and 2.0.0 (arrays and binary).

Pure functions over strings and bytes. The layout of binary frames is in docs/realtime-protocol.md.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Protocol, TypeAlias

from parley.realtime.protocol.messages import Json, Message, Outbound, Push, UserBroadcast

Frame: TypeAlias = str | bytes
"""A text frame or a binary frame."""

USER_PUSH = 3
USER_BROADCAST = 4
BINARY, JSON = 0, 1
PUSH_HEADER = 7
FIELD_LIMIT = 255


class FrameError(ValueError):
    """A frame that the protocol does not know. It is dropped; the socket stays open."""


class Serializer(Protocol):
    """One of the two forms in which frames are written."""

    version: str

    def decode(self, frame: Frame) -> Push:
        """Read a client's frame; raises ``FrameError``."""

    def encode(self, message: Outbound) -> Frame | None:
        """Write a frame; None when this version cannot express the message."""


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is out of range")
    return number


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def loads(frame: Frame) -> Json:
    """Read strict JSON: no NaN, no infinity, only UTF-8. Raises ``FrameError``."""
    try:
        text = frame if isinstance(frame, str) else frame.decode()
        return _decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise FrameError("the frame is not JSON") from error


def dumps(value: Json) -> str:
    """Write compact JSON. A lone surrogate, which UTF-8 cannot encode, stays escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise FrameError("topic and event are strings")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise FrameError("topic and event are Unicode text") from error
    return value


class V1:
    """JSON objects with ``topic``, ``event``, ``payload`` and ``ref``; no binary payloads."""

    version = "1.0.0"

    def decode(self, frame: Frame) -> Push:
        """Read an object with the four keys; ``join_ref`` may be absent."""
        value = loads(frame)
        if not isinstance(value, dict) or not {"topic", "event", "payload", "ref"} <= value.keys():
            raise FrameError("the frame lacks one of topic, event, payload, ref")
        return Push(
            value.get("join_ref"),
            value["ref"],
            _text(value["topic"]),
            _text(value["event"]),
            value["payload"],
        )

    def encode(self, message: Outbound) -> str | None:
        """Write exactly these four keys, ``ref`` even when it is null; no ``join_ref``."""
        if isinstance(message, Message):
            return dumps(
                {
                    "topic": message.topic,
                    "event": message.event,
                    "payload": message.payload,
                    "ref": message.ref,
                }
            )
        if not message.is_json:
            return None
        meta = f',"meta":{dumps(message.meta)}' if message.meta is not None else ""
        return (
            f'{{"topic":{dumps(message.topic)},"event":"broadcast","payload":'
            f'{{"event":{dumps(message.event)},"payload":{message.body.decode()},'
            f'"type":"broadcast"{meta}}},"ref":null}}'
        )


class V2:
    """Arrays ``[join_ref, ref, topic, event, payload]``, and binary frames for broadcasts."""

    version = "2.0.0"

    def decode(self, frame: Frame) -> Push:
        """Read an array of at least five elements, or a binary broadcast push (kind 3)."""
        if isinstance(frame, bytes):
            return self._decode_binary(frame)
        value = loads(frame)
        if not isinstance(value, list) or len(value) < 5:
            raise FrameError("the frame is not an array of five elements")
        join_ref, ref, topic, event, payload = value[:5]
        return Push(join_ref, ref, _text(topic), _text(event), payload)

    def _decode_binary(self, frame: bytes) -> Push:
        if len(frame) < PUSH_HEADER or frame[0] != USER_PUSH:
            raise FrameError("the binary frame is not a broadcast push")
        *sizes, encoding = frame[1:PUSH_HEADER]
        if encoding not in (BINARY, JSON):
            raise FrameError("the payload encoding is neither JSON nor binary")
        if len(frame) < PUSH_HEADER + sum(sizes):
            raise FrameError("the binary frame is shorter than its header says")
        fields: list[str] = []
        offset = PUSH_HEADER
        for size in sizes:
            try:
                fields.append(frame[offset : offset + size].decode())
            except UnicodeDecodeError as error:
                raise FrameError("a header field is not UTF-8") from error
            offset += size
        join_ref, ref, topic, event, _metadata = fields
        body = frame[offset:]
        if encoding == JSON:
            loads(body)
        user = UserBroadcast(event, body, encoding == JSON)
        return Push(join_ref or None, ref or None, topic, "broadcast", user)

    def encode(self, message: Outbound) -> Frame | None:
        """Write a text array, or kind 4 for a broadcast whose payload is bytes.

        None when a header field is longer than 255 bytes, because its length has one byte.
        """
        if isinstance(message, Message):
            return dumps(
                [message.join_ref, message.ref, message.topic, message.event, message.payload]
            )
        topic, event = message.topic.encode(), message.event.encode()
        meta = b"" if message.meta is None else dumps(message.meta).encode()
        if max(len(topic), len(event), len(meta)) > FIELD_LIMIT:
            return None
        encoding = JSON if message.is_json else BINARY
        header = bytes((USER_BROADCAST, len(topic), len(event), len(meta), encoding))
        return b"".join((header, topic, event, meta, message.body))


V1_0 = V1()
V2_0 = V2()

_VERSION = re.compile(r"([12])\.0\.\d+")


def serializer_for(vsn: str | None) -> Serializer | None:
    """Pick the serializer for a connection's ``vsn``: absent means 1.0.0, unknown gives None."""
    found = _VERSION.fullmatch(vsn or V1.version)
    if found is None:
        return None
    return V1_0 if found[1] == "1" else V2_0
