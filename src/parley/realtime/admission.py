"""Letting a join in: the checks in the real server's order, then the reply and what follows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parley.realtime import renewal, watching
from parley.realtime.authorize import PUBLIC, Caller, ProbeError, Rights, read_rights
from parley.realtime.channel import Channel
from parley.realtime.context import Context, Stored
from parley.realtime.join import (
    JoinConfig,
    RefusalError,
    read_config,
    replay_of,
    token_of,
    unauthorized,
)
from parley.realtime.limits import Allowance
from parley.realtime.messages import PREFIX, Push
from parley.realtime.tokens import TokenError

if TYPE_CHECKING:
    from parley.realtime.session import Session

READY_POLL_S = 0.5
READY_DEADLINE_S = 60.0

TOO_MANY_JOINS = "ClientJoinRateLimitReached: Too many joins per second"


async def join(session: Session, push: Push, before: Channel | None) -> None:
    """Join a topic and answer; raises ``RefusalError``.

    ``before`` is the channel that this join takes the place of: its end follows the answer, and
    everything that is this channel's own follows that.
    """
    config = read_config(push.payload)
    channel, stored = await _admit(session, push, config)
    session.context.metrics.joins.inc()
    channel.reply(push, "ok", {"postgres_changes": list(config.bindings)})
    if before is not None:
        before.end()
    if channel.presence and channel.hears_presence:
        channel.push("presence_state", session.context.rosters.state(channel.key))
    for each in stored:
        channel.send(each.message(channel))
    channel.release()
    if config.bindings:
        if channel.subscribed:
            channel.system("postgres_changes", "ok", "Subscribed to PostgreSQL")
        else:
            session.spawn(channel, watching.subscribe(session.context, channel))
    if config.replication_ready:
        session.spawn(channel, _announce_ready(session.context, channel))


async def _admit(session: Session, push: Push, config: JoinConfig) -> tuple[Channel, list[Stored]]:
    context = session.context
    topic = push.topic.removeprefix(PREFIX)
    if not topic:
        raise RefusalError("TopicNameRequired: You must provide a topic name")
    if context.limits.private_only and not config.private:
        raise RefusalError("PrivateOnly: This project only allows private channels")
    _within_limits(session)
    token = token_of(push.payload, session.token)
    try:
        claims = context.tokens.verify(token, context.clock())
    except TokenError as error:
        raise RefusalError(f"{error.code}: {error.text}") from error
    caller = session.caller(claims)
    context.wal.want()
    rights = await _rights(context, caller, topic, config)
    wish = replay_of(config, topic, may_read=bool(rights.broadcast_read))
    limits = context.limits
    channel = Channel(
        session.listener,
        push,
        config=config,
        token=token,
        caller=caller,
        leave=session.leave,
        rights=rights,
        allowance=Allowance(limits.presence_calls, limits.presence_window_s),
    )
    session.enter(channel)
    try:
        stored = [] if wish is None else list(await context.archive.replay(topic, wish))
        channel.replayed = frozenset(each.id for each in stored)
        if config.bindings and config.waits_for_changes_s is not None:
            await watching.subscribe_within(context, channel, config.waits_for_changes_s)
    except BaseException:
        session.leave(channel)
        raise
    renewal.arm(session, channel)
    return channel, stored


def _within_limits(session: Session) -> None:
    context, limits = session.context, session.context.limits
    is_new = not session.channels
    if limits.connections is not None and is_new and context.users() >= limits.connections:
        raise RefusalError("ConnectionRateLimitReached: Too many connected users")
    if context.meters.joins.exceeded:
        raise RefusalError(TOO_MANY_JOINS)
    context.meters.joins.add()
    most = limits.channels_per_connection
    if most is not None and len(session.channels) >= most:
        raise RefusalError("ChannelRateLimitReached: Too many channels")


async def _rights(context: Context, caller: Caller, topic: str, config: JoinConfig) -> Rights:
    try:
        if not config.private:
            await context.reach_database()
            return PUBLIC
        with context.timed("read"):
            rights = await read_rights(context.authorizer, caller, topic, presence=config.presence)
    except ProbeError as error:
        raise RefusalError(error.reason) from error
    if not rights.may_join:
        raise RefusalError(unauthorized(topic))
    return rights


async def _announce_ready(context: Context, channel: Channel) -> None:
    """Say once that rows now arrive; the real server looks every half second, up to a minute."""
    deadline = asyncio.get_running_loop().time() + READY_DEADLINE_S
    while not context.wal.ready:
        if asyncio.get_running_loop().time() >= deadline:
            channel.shut("Replication connection was not established in time")
            return
        await asyncio.sleep(READY_POLL_S)
    channel.system("system", "ok", "Replication connection established")
