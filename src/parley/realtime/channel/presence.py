"""Presence events from clients: ``track`` and ``untrack``."""

from __future__ import annotations

from parley.realtime.channel.channel import Channel
from parley.realtime.channel.checks import check_presence_read, write_refusal
from parley.realtime.channel.context import Context
from parley.realtime.protocol.messages import Json, Push
from parley.realtime.protocol.serializer import dumps

NOT_A_MAP = "Presence track payload must be a map"


async def receive(context: Context, channel: Channel, push: Push) -> None:
    """Handle a ``presence`` event: answer it, and send the difference to the topic."""
    payload = push.payload if isinstance(push.payload, dict) else {}
    if "event" not in payload:
        channel.reply(push, "ok", {})
        return
    if not channel.allowance.take():
        channel.shut("Client presence rate limit exceeded")
        return
    match str(payload["event"]).lower():
        case "track":
            await _track(context, channel, push, payload.get("payload", {}))
        case "untrack":
            channel.reply(push, "ok", {})
            context.untrack(channel.key, channel)
        case _:
            channel.reply(push, "error", {})


async def _track(context: Context, channel: Channel, push: Push, payload: Json) -> None:
    if not await _may_track(context, channel):
        if channel.open:
            channel.reply(push, "error", {})
        return
    if not channel.open:
        return
    if not isinstance(payload, dict):
        channel.reply(push, "error", {"reason": NOT_A_MAP})
        return
    if len(dumps(payload).encode()) > context.limits.payload_bytes:
        channel.shut("Track message size exceeded")
        return
    if context.meters.presence.exceeded:
        channel.shut("Too many presence messages per second")
        return
    context.meters.presence.add()
    is_late, channel.presence = not channel.presence, True
    channel.late_presence = channel.late_presence or is_late
    diff = context.rosters.track(channel.key, channel, channel.config.presence_key, payload)
    channel.reply(push, "ok", {})
    if is_late and channel.hears_presence:
        channel.push("presence_state", context.rosters.state(channel.key))
    if diff is not None:
        context.hub.presence_diff(channel.key, diff)


async def _may_track(context: Context, channel: Channel) -> bool:
    """Check the right to write presence, and look up the right to read it if the join did not."""
    if not await check_presence_read(context, channel):
        return False
    return await write_refusal(context, channel, "presence") is None
