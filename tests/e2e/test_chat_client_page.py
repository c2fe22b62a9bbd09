"""The bot of `docs/chat-client.md` answers each mention once, killed or robbed of its file."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from parley.stack import Status
from tests.e2e.sync_people import PASSWORD, Account, chatting, sign_up
from tests.until import until

PAGE = Path(__file__).parents[2] / "docs" / "chat-client.md"
(BOT,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)


def lose_the_file(folder: Path) -> None:
    """As if the bot were started on another machine."""
    for file in folder.glob("bot.db*"):
        file.unlink()


def forget_the_mark(stack: Status, account: Account) -> None:
    """As if the bot had been killed between its answers and the mark."""
    with psycopg.connect(stack.db_url) as connection:
        connection.execute(
            "update chat_private.user_streams set notifications_read_seq = 0 where user_id = %s",
            [account.user_id],
        )


@asynccontextmanager
async def bot_running(stack: Status, account: Account, folder: Path) -> AsyncIterator[None]:
    """The page's program, killed at the end."""
    (folder / "bot.py").write_text(BOT)
    bot = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "ignore",
        "bot.py",
        cwd=folder,
        env={
            **os.environ,
            "SUPABASE_URL": stack.api_url,
            "SUPABASE_KEY": stack.publishable_key,
            "BOT_EMAIL": account.email,
            "BOT_PASSWORD": PASSWORD,
        },
    )
    try:
        yield
        assert bot.returncode is None
    finally:
        if bot.returncode is None:
            bot.kill()
        await bot.wait()


async def test_a_mention_is_answered_once_also_when_the_bot_loses_its_file_and_its_mark(
    stack: Status, tmp_path: Path
) -> None:
    ann, robot = await sign_up(stack, "Ann"), await sign_up(stack, "Robot")
    async with chatting(stack, ann, tmp_path / "ann.db") as chat:
        room = await chat.open_direct(robot.user_id)

        def answers() -> list[int | None]:
            shown = chat.messages(room.id)
            return [each.reply_to for each in shown if str(each.sender_id) == robot.user_id]

        async def mention() -> None:
            await chat.send(room.id, "Are you there?", mentions=[robot.user_id])

        await mention()
        async with bot_running(stack, robot, tmp_path):
            await until(lambda: answers() == [1])
            await mention()
            await until(lambda: answers() == [1, 3])

        lose_the_file(tmp_path)
        forget_the_mark(stack, robot)
        await mention()
        async with bot_running(stack, robot, tmp_path):
            await until(lambda: answers() == [1, 3, 5])
        await chat.sync()
        assert answers() == [1, 3, 5]
