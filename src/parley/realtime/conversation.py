"""Broadcasts from client to client."""

from __future__ import annotations

from parley.realtime.authorize import Extension, ProbeError
from parley.realtime.channel import Channel
from parley.realtime.context import Context
from parley.realtime.messages import Message, Outbound, Push, UserBroadcast, UserMessage
from parley.realtime.serializer import dumps


async def broadcast(context: Context, channel: Channel, push: Push) -> None:
    """Pass a broadcast on to the topic, if the channel may write; acknowledge it when asked to.

    JSON goes on as it came. A refusal is told to those who asked for acknowledgements, as
    ``{"error": …}``, and to nobody else.
    """
    message = _message(push)
    if message is None:
        return
    refused = await refusal(context, channel, "broadcast")
    if not channel.open:
        return
    if refused is None:
        context.meters.events.add()
        if size_of(message) > context.limits.payload_bytes:
            refused = "payload_size_exceeded"
    if refused is not None:
        context.metrics.denials.labels(refused).inc()
        if channel.config.ack:
            channel.reply(push, "error", {"error": refused})
        return
    sender = None if channel.config.hears_itself else channel
    context.hub.broadcast(channel.key, message, without=sender)
    if channel.config.ack and channel.open:
        channel.reply(push, "ok", {})


async def refusal(context: Context, channel: Channel, extension: Extension) -> str | None:
    """Return why a channel may not write, or None. Asked once, then kept until a new token."""
    while (known := _writable(channel, extension)) is None:
        caller = channel.caller
        try:
            with context.timed("write"):
                answers = await context.authorizer.writable(caller, channel.name, [extension])
        except ProbeError as error:
            return error.slug
        if channel.caller is caller:
            channel.rights = channel.rights.with_answers("write", answers)
    return None if known else "unauthorized"


def size_of(message: Outbound) -> int:
    """The size of a payload in bytes, as JSON."""
    if isinstance(message, UserMessage):
        return len(message.body)
    return len(dumps(message.payload).encode())


def _writable(channel: Channel, extension: Extension) -> bool | None:
    rights = channel.rights
    return rights.broadcast_write if extension == "broadcast" else rights.presence_write


def _message(push: Push) -> Outbound | None:
    if isinstance(push.payload, UserBroadcast):
        user = push.payload
        return UserMessage(push.topic, user.event, user.body, user.is_json)
    if isinstance(push.payload, dict):
        return Message(push.topic, "broadcast", push.payload)
    return None
