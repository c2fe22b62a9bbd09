"""New tokens on a joined channel, and tokens that run out (REALTIME 1.8)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parley.realtime import watching
from parley.realtime.authorize import ProbeError, read_rights
from parley.realtime.channel import Channel
from parley.realtime.join import OPAQUE_KEY, no_permission
from parley.realtime.messages import Json
from parley.realtime.tokens import Claims, TokenError, expired

if TYPE_CHECKING:
    from parley.realtime.session import Session

CONFIRM_AFTER_S = 3600.0

EXPIRY, HELD = "expiry", "held token"


async def present(session: Session, channel: Channel, payload: Json) -> None:
    """Take an ``access_token`` event. It is never answered."""
    token = payload.get("access_token") if isinstance(payload, dict) else None
    if not isinstance(token, str) or token.startswith(OPAQUE_KEY):
        return
    if token in (channel.token, channel.pending_token):
        return
    throttle = session.context.limits.access_token_throttle_s
    loop = asyncio.get_running_loop()
    since = None if channel.verified_at is None else loop.time() - channel.verified_at
    if since is None or since >= throttle:
        await apply(session, channel, token)
        return
    channel.pending_token = token
    if HELD not in channel.timers:
        channel.timers[HELD] = loop.call_later(throttle - since, _apply_held, session, channel)


def arm(session: Session, channel: Channel) -> None:
    """Look again when the channel's token runs out, or in an hour."""
    left = channel.caller.claims.exp - session.context.clock()
    previous = channel.timers.pop(EXPIRY, None)
    if previous is not None:
        previous.cancel()
    delay = max(0.0, min(CONFIRM_AFTER_S, left))
    loop = asyncio.get_running_loop()
    channel.timers[EXPIRY] = loop.call_later(delay, _confirm, session, channel)


def _confirm(session: Session, channel: Channel) -> None:
    if channel.pending_token is not None:
        _apply_held(session, channel)
        return
    now, exp = session.context.clock(), channel.caller.claims.exp
    if exp <= now:
        channel.shut(expired(exp, now).text)
    else:
        arm(session, channel)


def _apply_held(session: Session, channel: Channel) -> None:
    timer = channel.timers.pop(HELD, None)
    if timer is not None:
        timer.cancel()
    if channel.pending_token is not None:
        session.spawn(channel, apply(session, channel, channel.pending_token))


async def apply(session: Session, channel: Channel, token: str) -> None:
    """Verify a token and ask again for what it may read; a channel that loses it is shut."""
    context = session.context
    channel.token, channel.pending_token = token, None
    channel.verified_at = asyncio.get_running_loop().time()
    try:
        claims = context.tokens.verify(token, context.clock())
        refused = await _ask_again(session, channel, claims)
    except TokenError as error:
        refused = error.text
    except ProbeError as error:
        refused = error.text
    if not channel.open:
        return
    if refused is not None:
        channel.shut(refused)
        return
    arm(session, channel)
    if channel.config.bindings:
        context.tables.unsubscribe(channel)
        channel.subscribed = False
        session.spawn(channel, watching.subscribe(context, channel))


async def _ask_again(session: Session, channel: Channel, claims: Claims) -> str | None:
    """Give the channel the rights of new claims. Returns why it must be shut, if it must."""
    context, before = session.context, channel.rights
    caller = session.caller(claims)
    channel.caller = caller
    if not channel.config.private:
        return None
    with context.timed("read"):
        rights = await read_rights(
            context.authorizer, caller, channel.name, presence=channel.presence
        )
    if channel.caller is not caller:
        return None
    channel.rights = rights
    if not rights.may_join:
        return no_permission(channel.name)
    if rights.lost_since(before):
        return f"You no longer have permission to read from this Channel topic: {channel.name}"
    return None
