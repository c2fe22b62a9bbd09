"""The messages between client and server, independent of the serializer that writes them.

``Push`` comes from a client. ``Message`` and ``UserMessage`` go to clients: ``Message`` is any
event with a JSON payload. ``UserMessage`` is a broadcast whose payload stays the bytes it arrived
as (from a binary frame, a REST body or a row), so that the server never parses and prints it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Anything that `json.loads` returns."""

Ref: TypeAlias = Any
"""A client's own reference: a string, null, or any other JSON it chose. Sent back unchanged."""

TopicKey: TypeAlias = tuple[str, bool]
"""A topic without prefix, and whether it is private.

The public and the private topic of one name are two separate topics.
"""

PREFIX = "realtime:"
"""Clients write ``realtime:room``; SQL and REST name the same topic ``room``."""


@dataclass(frozen=True, slots=True)
class UserBroadcast:
    """The content of a binary broadcast push: an event name and a payload in bytes."""

    event: str
    body: bytes
    is_json: bool


@dataclass(frozen=True, slots=True)
class Push:
    """One frame from a client. ``payload`` is JSON; from a binary frame, a ``UserBroadcast``."""

    join_ref: Ref
    ref: Ref
    topic: str
    event: str
    payload: Json | UserBroadcast


@dataclass(frozen=True, slots=True)
class Message:
    """One event to a client. ``topic`` has its prefix."""

    topic: str
    event: str
    payload: Json
    ref: Ref = None
    join_ref: Ref = None


@dataclass(frozen=True, slots=True)
class UserMessage:
    """One broadcast to clients whose payload is already bytes. ``topic`` has its prefix."""

    topic: str
    event: str
    body: bytes
    is_json: bool
    meta: dict[str, Json] | None = None


Outbound: TypeAlias = Message | UserMessage


def reply(push: Push, status: str, response: dict[str, Json], join_ref: Ref) -> Message:
    """Build the answer to a push. ``join_ref`` is the channel's, or null outside any channel."""
    payload = {"status": status, "response": response}
    return Message(push.topic, "phx_reply", payload, push.ref, join_ref)


def system(topic: str, extension: str, status: str, text: str, join_ref: Ref) -> Message:
    """Build a ``system`` event; in its payload, ``channel`` is the topic without prefix."""
    payload = {
        "extension": extension,
        "status": status,
        "message": text,
        "channel": topic.removeprefix(PREFIX),
    }
    return Message(topic, "system", payload, None, join_ref)
