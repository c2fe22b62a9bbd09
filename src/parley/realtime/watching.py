"""Telling a channel that the tables it listens to are being watched, or why they are not."""

from __future__ import annotations

import asyncio
import random

from parley.realtime.authorize import ProbeError
from parley.realtime.channel import Channel
from parley.realtime.context import Context
from parley.realtime.join import RefusalError

SUBSCRIBE_RETRY_S = (5.0, 10.0)
WAIT_RETRY_S = 0.2


async def subscribe(context: Context, channel: Channel) -> None:
    """Watch the tables a channel asked for and tell it, trying again while the database is away."""
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
    """Watch the tables before the join is answered; raises ``RefusalError``."""
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
