"""Joins: the checks in the hosted server's order, then the reply and what follows it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from parley.realtime.authorization.rights import PUBLIC, Caller, Rights
from parley.realtime.authorization.tokens import Claims, TokenError
from parley.realtime.channel import access_token, subscription
from parley.realtime.channel.channel import Channel, Listener
from parley.realtime.channel.checks import check_read
from parley.realtime.channel.context import Context, Stored
from parley.realtime.database.errors import ProbeError
from parley.realtime.protocol.join_payload import (
    JoinConfig,
    RefusalError,
    read_config,
    replay_of,
    token_of,
    unauthorized,
)
from parley.realtime.protocol.messages import PREFIX, Push
from parley.realtime.rate_counters import Allowance

READY_POLL_S = 0.5
READY_DEADLINE_S = 60.0

TOO_MANY_JOINS = "ClientJoinRateLimitReached: Too many joins per second"


class JoiningSocket(Protocol):
    """The things that a join needs from the socket it came over."""

    @property
    def listener(self) -> Listener:
        """Where the channel writes its frames."""

    @property
    def token(self) -> str:
        """The JWT of the socket's API key, for joins without a token of their own."""

    @property
    def channels(self) -> dict[str, Channel]:
        """The joined channels by topic."""

    def caller(self, claims: Claims) -> Caller:
        """The person with these claims, with the headers of this socket."""

    def enter(self, channel: Channel) -> None:
        """Add an accepted channel to the socket and to its topic."""

    def leave(self, channel: Channel) -> None:
        """Remove a channel from the socket and from its topic."""


async def join(context: Context, socket: JoiningSocket, push: Push, before: Channel | None) -> None:
    """Join a topic and answer; raises ``RefusalError``.

    ``before`` is the channel that had joined the topic over the same socket and is replaced by
    this one. Its ``phx_close`` follows the answer; this channel's own messages follow that.
    """
    config = read_config(push.payload, push.topic.removeprefix(PREFIX))
    channel, stored = await _accept(context, socket, push, config)
    context.metrics.joins.inc()
    channel.reply(push, "ok", {"postgres_changes": list(config.bindings)})
    if before is not None:
        before.end()
    if channel.presence and channel.hears_presence:
        channel.push("presence_state", context.rosters.state(channel.key))
    for each in stored:
        channel.send(each.message(channel))
    channel.release()
    if config.bindings:
        if channel.subscribed:
            channel.system("postgres_changes", "ok", "Subscribed to PostgreSQL")
        else:
            channel.spawn(subscription.subscribe(context, channel))
    if config.replication_ready:
        channel.spawn(_announce_ready(context, channel))


async def _accept(
    context: Context, socket: JoiningSocket, push: Push, config: JoinConfig
) -> tuple[Channel, list[Stored]]:
    """Check a join and enter its channel; returns the broadcasts to replay with it."""
    topic = push.topic.removeprefix(PREFIX)
    if not topic:
        raise RefusalError("TopicNameRequired: You must provide a topic name")
    if context.limits.private_only and not config.private:
        raise RefusalError("PrivateOnly: This project only allows private channels")
    _check_limits(context, socket)
    token = token_of(push.payload, socket.token)
    try:
        claims = context.tokens.verify(token, context.clock())
    except TokenError as error:
        raise RefusalError(f"{error.code}: {error.text}") from error
    caller = socket.caller(claims)
    context.wal.want()
    rights = await _rights(context, caller, topic, config)
    wish = replay_of(config, topic, may_read=bool(rights.broadcast_read))
    limits = context.limits
    channel = Channel(
        socket.listener,
        push,
        config=config,
        token=token,
        caller=caller,
        leave=socket.leave,
        rights=rights,
        allowance=Allowance(limits.presence_calls, limits.presence_window_s),
    )
    socket.enter(channel)
    try:
        stored = [] if wish is None else list(await context.archive.replay(topic, wish))
        channel.replayed = frozenset(each.id for each in stored)
        if config.bindings and config.waits_for_changes_s is not None:
            await subscription.subscribe_within(context, channel, config.waits_for_changes_s)
    except BaseException:
        socket.leave(channel)
        raise
    access_token.watch_expiry(context, channel)
    return channel, stored


def _check_limits(context: Context, socket: JoiningSocket) -> None:
    limits = context.limits
    is_new = not socket.channels
    if limits.connections is not None and is_new and context.users() >= limits.connections:
        raise RefusalError("ConnectionRateLimitReached: Too many connected users")
    if context.meters.joins.exceeded:
        raise RefusalError(TOO_MANY_JOINS)
    context.meters.joins.add()
    most = limits.channels_per_connection
    if most is not None and len(socket.channels) >= most:
        raise RefusalError("ChannelRateLimitReached: Too many channels")


async def _rights(context: Context, caller: Caller, topic: str, config: JoinConfig) -> Rights:
    try:
        if not config.private:
            await context.reach_database()
            return PUBLIC
        rights = await check_read(context, caller, topic, presence=config.presence)
    except ProbeError as error:
        raise RefusalError(error.reason) from error
    if not rights.may_join:
        raise RefusalError(unauthorized(topic))
    return rights


async def _announce_ready(context: Context, channel: Channel) -> None:
    """Wait until broadcasts from the database arrive, then tell the channel.

    Like the hosted server, look every half second and close the channel after a minute.
    """
    deadline = asyncio.get_running_loop().time() + READY_DEADLINE_S
    while not context.wal.ready:
        if asyncio.get_running_loop().time() >= deadline:
            channel.shut("Replication connection was not established in time")
            return
        await asyncio.sleep(READY_POLL_S)
    channel.system("system", "ok", "Replication connection established")
