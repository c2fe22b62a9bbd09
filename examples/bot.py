"""A bot that answers whoever mentions it: it types, sends, and lets its message grow.

    BOT_ID=… SUPABASE_URL=… SUPABASE_SERVICE_KEY=… python examples/bot.py

Without BOT_ID it makes a bot, prints its id and ends. Killed at any moment and started again, it
goes on where it was: a mention is answered once, because the client_id is made of it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid5

import httpx

import parley
from parley.api import ChatApi
from parley.errors import MessageNotFound, RoomNotFound, SlowDown
from parley.models import ListedNotification, MessagesRow

URL = os.environ["SUPABASE_URL"]
SECRET_KEY = os.environ["SUPABASE_SERVICE_KEY"]
LOOK_EVERY_S = 0.5
TYPE_EVERY_S = 2.0
EDIT_EVERY_S = 1.0
"""Every edit is kept and told to everybody, so words are collected before they are shown."""
LONGEST = 8000


async def think(question: str) -> AsyncIterator[str]:
    """Yield an answer as it grows; put a model here."""
    answer = ""
    for word in f"You wrote {len(question.split())} words. Let me look into that for you.".split():
        await asyncio.sleep(0.2)
        answer = f"{answer} {word}".strip()
        yield answer


@asynccontextmanager
async def typing(bot: ChatApi, bot_id: UUID, room_id: UUID) -> AsyncIterator[None]:
    """Show that the bot is typing, until the end of the block. Nobody is stopped by a failure."""

    async def tell() -> None:
        async with httpx.AsyncClient(headers={"apikey": SECRET_KEY}) as http:
            while True:
                heads = await bot.list_heads()
                epoch = next(room.epoch for room in heads.rooms if room.room_id == room_id)
                event = {
                    "topic": f"live:{room_id}:{epoch}",
                    "event": "typing",
                    "payload": {"user_id": str(bot_id)},
                    "private": True,
                }
                await http.post(f"{URL}/realtime/v1/api/broadcast", json={"messages": [event]})
                await asyncio.sleep(TYPE_EVERY_S)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])


async def edit(bot: ChatApi, message: MessagesRow, body: str, *, is_last: bool) -> None:
    """Replace the text; what comes too fast is left out, save the last, which waits."""
    while True:
        try:
            await bot.edit_message(message.room_id, message.seq, body[:LONGEST])
            return
        except SlowDown as refused:
            if not is_last:
                return
            await asyncio.sleep(refused.retry_after or 1)


async def answer(bot: ChatApi, bot_id: UUID, asked: ListedNotification) -> None:
    """Answer a message that mentions the bot."""
    assert asked.room_id is not None and asked.message_seq is not None
    with suppress(MessageNotFound, RoomNotFound):
        page = await bot.list_messages(asked.room_id, around=asked.message_seq, page_size=1)
        question = page[0].body
        async with typing(bot, bot_id, asked.room_id):
            client_id = uuid5(asked.room_id, str(asked.message_seq))
            message = await bot.send_message(
                asked.room_id, "…", client_id, reply_to=asked.message_seq
            )
            text, shown_at = "…", time.monotonic()
            async for text in think(question):
                if time.monotonic() - shown_at >= EDIT_EVERY_S:
                    await edit(bot, message, text, is_last=False)
                    shown_at = time.monotonic()
            await edit(bot, message, text, is_last=True)


async def main() -> None:
    """Answer mentions until the program is ended."""
    async with parley.server(URL, SECRET_KEY) as server:
        if "BOT_ID" not in os.environ:
            print((await server.api.create_bot("Helper")).user_id)
            return
        bot_id = UUID(os.environ["BOT_ID"])
        bot = server.acting_as(bot_id)
        while True:
            new = [each for each in await bot.list_notifications() if each.read_at is None]
            for asked in reversed(new):
                if asked.kind == "mention":
                    await answer(bot, bot_id, asked)
                await bot.mark_notifications_read(asked.seq)
            await asyncio.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    asyncio.run(main())
