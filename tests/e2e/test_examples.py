"""The programs of ``examples`` do what their first lines say."""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
from asyncio.subprocess import PIPE, Process
from base64 import b64encode
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from parley.stack import Status
from tests.e2e.chat_people import PASSWORD, Member, listening, room_of
from tests.e2e.realtime_stack import run_sql
from tests.until import until

EXAMPLES = Path(__file__).parents[2] / "examples"


async def start(stack: Status, name: str, *arguments: str, **environment: str) -> Process:
    """Start a program of the folder."""
    names = {"SUPABASE_URL": stack.api_url, "SUPABASE_SERVICE_KEY": stack.secret_key}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "ignore",
        str(EXAMPLES / name),
        *arguments,
        env={**os.environ, **names, **environment},
        stdout=PIPE,
    )


async def printed(stack: Status, name: str, *arguments: str) -> str:
    """Run a program to its end and return what it printed."""
    program = await start(stack, name, *arguments)
    output, _ = await asyncio.wait_for(program.communicate(), 60)
    assert program.returncode == 0
    return output.decode().strip()


async def messages(member: Member, room_id: str) -> list[dict[str, Any]]:
    return list(await member.call("list_messages", room_id=room_id))


async def test_the_bot_answers_a_mention_once_typing_while_its_message_grows(
    stack: Status,
) -> None:
    bot_id = await printed(stack, "bot.py")
    async with listening(stack, "Ann", "Bob") as (ann, bob):
        room_id = await room_of(ann, bob)
        await ann.call("add_member", room_id=room_id, user_id=bot_id)
        await ann.listen(f"live:{room_id}:{await ann.room_epoch(room_id)}")
        asked = await ann.call(
            "send_message",
            room_id=room_id,
            body="Where is my order",
            client_id="00000000-0000-4000-8000-000000000001",
            mentions=[bot_id],
        )
        bot = await start(stack, "bot.py", BOT_ID=bot_id)
        try:
            typed = await ann.hears(lambda each: each.name == "typing", 30)
            assert typed.payload["user_id"] == bot_id

            def bodies() -> list[str]:
                """Every text of the bot's message that was told to Bob."""
                rows = (row for each in bob.heard for row in each.messages_of(room_id))
                return [row["body"] for row in rows if row["sender_id"] == bot_id]

            whole = "You wrote 4 words. Let me look into that for you."
            await until(lambda: whole in bodies(), 30)
            heard = bodies()
            assert heard[0] == "…"
            grown = heard[1 : heard.index(whole)]
            assert grown and all(whole.startswith(each) for each in grown)
            rows = [row for row in await messages(ann, room_id) if row["sender_id"] == bot_id]
            assert [(row["body"], row["reply_to"]) for row in rows] == [(whole, asked["seq"])]
        finally:
            bot.kill()
            await bot.wait()


async def test_an_order_opens_a_room_with_everybody_in_it(stack: Status) -> None:
    bot_id = await printed(stack, "bot.py")
    async with listening(stack, "Ann", "Bob") as (ann, bob):
        room_id = await printed(stack, "order_room.py", "4711", ann.user_id, bob.user_id, bot_id)
        rows = await messages(ann, room_id)
        said = {row["body"]: row for row in rows}
        assert said["Hello! Ask me anything about order 4711."]["sender_id"] == bot_id
        shipped = said["order_shipped"]
        assert (shipped["kind"], shipped["mentions"]) == ("system", [ann.user_id])
        await ann.hears_message(room_id, shipped["seq"])
        (first,) = await ann.call("list_rooms")
        assert (first["room"]["name"], first["unread"]) == ("Order 4711", 1)
        members = await ann.call("list_members", room_id=room_id)
        roles = {row["user_id"]: row["role"] for row in members}
        assert roles == {ann.user_id: "member", bob.user_id: "owner", bot_id: "member"}


async def test_a_sealed_room_is_read_by_its_devices_and_by_nobody_else(
    stack: Status,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # (Run in this process, because a new one takes seconds to import everything.)
    sealed = runpy.run_path(str(EXAMPLES / "sealed.py"))
    async with listening(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        people = [bob.user_id, cat.user_id]
        room = await ann.call("create_room", name="Vault", member_ids=people, is_opaque=True)

        async def use(member: Member, *said: str) -> list[str]:
            """Run the program on a device of somebody; returns its lines."""
            home = tmp_path / member.name
            home.mkdir(exist_ok=True)
            environment = {
                "SUPABASE_URL": stack.api_url,
                "SUPABASE_KEY": stack.publishable_key,
                "EMAIL": member.email,
                "PASSWORD": PASSWORD,
                "SEALED_HOME": str(home),
            }
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            await asyncio.wait_for(sealed["main"](UUID(room["id"]), *said), 60)
            return capsys.readouterr().out.splitlines()

        (bobs_print,) = await use(bob)
        lines = await use(ann, "Meet me at six")
        assert lines[1].removeprefix(f"new device of {bob.user_id}") == bobs_print[11:]
        assert lines[2] == "1 Meet me at six"
        assert (await use(bob))[-1] == "1 Meet me at six"
        # Cat is in the room; her device had no key when Ann wrote.
        assert (await use(cat))[-1] == "1 (not for this device)"
        (row,) = await messages(ann, room["id"])
        assert "Meet" not in str(row)

        await run_sql(
            stack.db_url,
            "update chat.devices set public_key = %s where user_id = %s",
            b64encode(bytes(32)).decode(),
            ann.user_id,
        )
        with pytest.raises(sealed["KeyChanged"]):
            await use(bob)
