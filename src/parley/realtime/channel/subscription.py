"""Subscribing a channel to changes of tables, and telling it whether that succeeded."""

from __future__ import annotations

import asyncio
import random

from parley.realtime.channel.channel import Channel
from parley.realtime.channel.context import Context
from parley.realtime.database.errors import ProbeError
from parley.realtime.protocol.join_payload import RefusalError

SUBSCRIBE_RETRY_S = (5.0, 10.0)
WAIT_RETRY_S = 0.2


async def subscribe(context: Context, channel: Channel) -> None:
    """Subscribe after the join was answered; retry while the database is away."""
    while True:
        try:
            refused = await context.tables.subscribe(channel)
        except ProbeError as error:
            channel.system("postgres_changes", "error", error.text)
            await asyncio.sleep(random.uniform(*SUBSCRIBE_RETRY_S))  # noqa: S311
            continue
        if refused is None:
            channel.subscribed = True
            channel.system("postgres_changes", "ok", "Subscribed to PostgreSQL")
        else:
            channel.system("postgres_changes", "error", refused)
        return


async def subscribe_within(context: Context, channel: Channel, timeout_s: float) -> None:
    """Subscribe before the join is answered.

    Raises ``RefusalError`` when an entry is wrong, or when ``timeout_s`` is over.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        try:
            refused = await context.tables.subscribe(channel)
        except ProbeError:
            if asyncio.get_running_loop().time() >= deadline:
                text = f"Timed out after {round(timeout_s * 1000)}ms waiting for"
                raise RefusalError(
                    f"PostgresChangesSubscribeTimeout: {text} the postgres_changes subscription"
                ) from None
            await asyncio.sleep(WAIT_RETRY_S)
            continue
        if refused is not None:
            raise RefusalError(f"RealtimeDisabledForConfiguration: {refused}")
        channel.subscribed = True
        return
