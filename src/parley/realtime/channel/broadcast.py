"""Broadcasts that clients send to a channel they have joined."""

from __future__ import annotations

from parley.realtime.channel.channel import Channel
from parley.realtime.channel.checks import write_refusal
from parley.realtime.channel.context import Context
from parley.realtime.protocol.messages import Message, Outbound, Push, UserBroadcast, UserMessage
from parley.realtime.protocol.serializer import dumps


async def receive(context: Context, channel: Channel, push: Push) -> None:
    """Deliver a client's broadcast to its topic if the channel may write.

    A JSON payload is passed on unchanged, unknown keys included. The sender is answered only if its
    join asked for acknowledgements: with ``ok``, or with ``{"error": slug}`` when it is refused.
    """
    message = _message(push)
    if message is None:
        return
    refused = await write_refusal(context, channel, "broadcast")
    if not channel.open:
        return
    if refused is None:
        context.meters.events.add()
        if _size_of(message) > context.limits.payload_bytes:
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


def _size_of(message: Outbound) -> int:
    """The size of the payload in bytes, as JSON."""
    if isinstance(message, UserMessage):
        return len(message.body)
    return len(dumps(message.payload).encode())


def _message(push: Push) -> Outbound | None:
    if isinstance(push.payload, UserBroadcast):
        user = push.payload
        return UserMessage(push.topic, user.event, user.body, user.is_json)
    if isinstance(push.payload, dict):
        return Message(push.topic, "broadcast", push.payload)
    return None
