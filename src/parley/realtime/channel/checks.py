"""The read check and the write check of a channel, with the time they take."""

from __future__ import annotations

from parley.realtime.authorization.rights import Caller, Extension, Rights, read_rights
from parley.realtime.channel.channel import Channel
from parley.realtime.channel.context import Context
from parley.realtime.database.errors import ProbeError


async def check_read(context: Context, caller: Caller, topic: str, *, presence: bool) -> Rights:
    """Look up the rights to read a private topic; raises ``ProbeError``.

    The right to read presence is looked up only when the channel uses presence.
    """
    with context.timed("read"):
        return await read_rights(context.authorizer, caller, topic, presence=presence)


async def check_presence_read(context: Context, channel: Channel) -> bool:
    """Look up the right to read presence if the join did not; False if the database fails."""
    if channel.rights.presence_read is not None:
        return True
    caller = channel.caller
    try:
        with context.timed("read"):
            answers = await context.authorizer.readable(caller, channel.name, ["presence"])
    except ProbeError:
        return False
    if channel.caller is caller:
        channel.rights = channel.rights.with_answers("read", answers)
    return True


async def write_refusal(context: Context, channel: Channel, extension: Extension) -> str | None:
    """Return the slug that says why a channel may not write, or None if it may.

    The database is asked at the first write; the answer is kept until the token changes.
    """
    while (known := _may_write(channel, extension)) is None:
        caller = channel.caller
        try:
            with context.timed("write"):
                answers = await context.authorizer.writable(caller, channel.name, [extension])
        except ProbeError as error:
            return error.slug
        if channel.caller is caller:
            channel.rights = channel.rights.with_answers("write", answers)
    return None if known else "unauthorized"


def _may_write(channel: Channel, extension: Extension) -> bool | None:
    rights = channel.rights
    return rights.broadcast_write if extension == "broadcast" else rights.presence_write
