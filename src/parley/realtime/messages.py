"""What travels over a socket, before it has a wire form.

``Push`` comes from a client. ``Message`` and ``UserMessage`` go to clients: the first is any event
with a JSON payload, the second a broadcast whose payload is passed on as the bytes it came in
(from a binary frame, a REST body or a row), so that nothing is parsed and printed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Anything that `json.loads` returns."""

Ref: TypeAlias = Any
"""A client's own reference, echoed as it came: a string or null, or what else it chose."""

PREFIX = "realtime:"
"""What a wire topic has in front of the topic that SQL and REST speak of."""


@dataclass(frozen=True, slots=True)
class UserBroadcast:
    """The body of a binary broadcast push: an event name and a payload that stays bytes."""

    event: str
    body: bytes
    is_json: bool


@dataclass(frozen=True, slots=True)
class Push:
    """One frame from a client; ``payload`` is JSON, or a ``UserBroadcast`` of a binary frame."""

    join_ref: Ref
    ref: Ref
    topic: str
    event: str
    payload: Json | UserBroadcast


@dataclass(frozen=True, slots=True)
class Message:
    """One event to a client. ``topic`` is the wire topic."""

    topic: str
    event: str
    payload: Json
    ref: Ref = None
    join_ref: Ref = None


@dataclass(frozen=True, slots=True)
class UserMessage:
    """One broadcast to clients whose payload is already bytes. ``topic`` is the wire topic."""

    topic: str
    event: str
    body: bytes
    is_json: bool
    meta: dict[str, Json] | None = None


Outbound: TypeAlias = Message | UserMessage


def reply(push: Push, status: str, response: dict[str, Json], join_ref: Ref) -> Message:
    """Answer a push. ``join_ref`` is that of the channel, null for what belongs to no channel."""
    payload = {"status": status, "response": response}
    return Message(push.topic, "phx_reply", payload, push.ref, join_ref)


def system(topic: str, extension: str, status: str, text: str, join_ref: Ref) -> Message:
    """Build a ``system`` event with its four keys; ``channel`` is the topic without prefix."""
    payload = {
        "extension": extension,
        "status": status,
        "message": text,
        "channel": topic.removeprefix(PREFIX),
    }
    return Message(topic, "system", payload, None, join_ref)
