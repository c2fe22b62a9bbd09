"""New tokens on a joined channel (``access_token`` events), and tokens that expire."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from parley.realtime.authorization.tokens import Claims, TokenError, expired
from parley.realtime.channel import subscription
from parley.realtime.channel.channel import Channel
from parley.realtime.channel.checks import check_read
from parley.realtime.channel.context import Context
from parley.realtime.database.errors import ProbeError
from parley.realtime.protocol.join_payload import OPAQUE_KEY, no_permission
from parley.realtime.protocol.messages import Json

CONFIRM_AFTER_S = 3600.0
"""A token that is valid for longer is looked at again after this time."""

EXPIRY, HELD = "expiry", "held token"
"""The names of a channel's two timers."""


async def receive(context: Context, channel: Channel, payload: Json) -> None:
    """Handle an ``access_token`` event, which is never answered.

    The first new token is applied at once. Further ones within the profile's throttle are held,
    and the newest of them is applied when that time is over.
    """
    token = payload.get("access_token") if isinstance(payload, dict) else None
    if not isinstance(token, str) or token.startswith(OPAQUE_KEY):
        return
    if token in (channel.token, channel.pending_token):
        return
    throttle = context.limits.access_token_throttle_s
    loop = asyncio.get_running_loop()
    since = None if channel.verified_at is None else loop.time() - channel.verified_at
    if since is None or since >= throttle:
        await apply(context, channel, token)
        return
    channel.pending_token = token
    if HELD not in channel.timers:
        channel.timers[HELD] = loop.call_later(throttle - since, _apply_held, context, channel)


def watch_expiry(context: Context, channel: Channel) -> None:
    """Set the timer that closes the channel when its token expires."""
    left = channel.caller.claims.exp - context.clock()
    previous = channel.timers.pop(EXPIRY, None)
    if previous is not None:
        previous.cancel()
    delay = max(0.0, min(CONFIRM_AFTER_S, left))
    loop = asyncio.get_running_loop()
    channel.timers[EXPIRY] = loop.call_later(delay, _confirm, context, channel)


def _confirm(context: Context, channel: Channel) -> None:
    if channel.pending_token is not None:
        _apply_held(context, channel)
        return
    now, exp = context.clock(), channel.caller.claims.exp
    if exp <= now:
        channel.shut(expired(exp, now).text)
    else:
        watch_expiry(context, channel)


def _apply_held(context: Context, channel: Channel) -> None:
    timer = channel.timers.pop(HELD, None)
    if timer is not None:
        timer.cancel()
    if channel.pending_token is not None:
        channel.spawn(apply(context, channel, channel.pending_token))


async def apply(context: Context, channel: Channel, token: str) -> None:
    """Verify a new token and look up its rights; close the channel if it may no longer read."""
    channel.token, channel.pending_token = token, None
    channel.verified_at = asyncio.get_running_loop().time()
    try:
        claims = context.tokens.verify(token, context.clock())
        refused = await _take_on(context, channel, claims)
    except TokenError as error:
        refused = error.text
    except ProbeError as error:
        refused = error.text
    if not channel.open:
        return
    if refused is not None:
        channel.shut(refused)
        return
    watch_expiry(context, channel)
    if channel.config.bindings:
        context.tables.unsubscribe(channel)
        channel.subscribed = False
        channel.spawn(subscription.subscribe(context, channel))


async def _take_on(context: Context, channel: Channel, claims: Claims) -> str | None:
    """Give the channel the rights of new claims. Returns the reason to close it, or None."""
    before = channel.rights
    caller = replace(channel.caller, claims=claims)
    channel.caller = caller
    if not channel.config.private:
        return None
    rights = await check_read(context, caller, channel.name, presence=channel.presence)
    if channel.caller is not caller:
        return None
    channel.rights = rights
    if not rights.may_join:
        return no_permission(channel.name)
    if rights.lost_since(before):
        return f"You no longer have permission to read from this Channel topic: {channel.name}"
    return None
