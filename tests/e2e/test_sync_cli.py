"""tail, send and verify as people run them: processes, arguments, exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from parley.stack import Status
from parley.sync.database import Database
from tests.e2e.sync_people import PASSWORD, Account, chatting, sign_up


class Shell:
    """A terminal of somebody."""

    def __init__(self, stack: Status, account: Account, folder: Path) -> None:
        self._environment = {
            **os.environ,
            "SUPABASE_URL": stack.api_url,
            "SUPABASE_KEY": stack.publishable_key,
            "PARLEY_EMAIL": account.email,
            "PARLEY_PASSWORD": PASSWORD,
            "PARLEY_STORE": str(folder / f"{account.name}-cli.db"),
        }

    async def start(self, *words: str, **environment: str) -> asyncio.subprocess.Process:
        """Start a command."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "parley.cli",
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self._environment, **environment},
        )

    async def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """Run a command to its end."""
        process = await self.start(*words, **environment)
        out, error = await process.communicate()
        return process.returncode or 0, out.decode(), error.decode()


async def test_ann_sends_and_bob_tails_and_verifies(stack: Status, tmp_path: Path) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    async with chatting(stack, ann, tmp_path / "ann.db", live=False) as anns:
        room = await anns.create_room("terminal", [bob.user_id])
    terminal = Shell(stack, bob, tmp_path)
    tail = await terminal.start("tail", "terminal", "--json")
    assert tail.stdout is not None
    try:
        sender = Shell(stack, ann, tmp_path)
        code, out, error = await sender.run("send", "terminal", "hello from a shell", "--json")
        assert (code, error) == (0, "")
        assert json.loads(out)["body"] == "hello from a shell"
        async with asyncio.timeout(20):
            heard = json.loads(await tail.stdout.readline())
            while heard["kind"] != "text":
                heard = json.loads(await tail.stdout.readline())
        assert (heard["body"], heard["room_id"]) == ("hello from a shell", str(room.id))
    finally:
        tail.terminate()
        await tail.wait()

    code, out, _ = await terminal.run("tail", "--no-follow")
    assert code == 0
    assert "terminal · Ann: hello from a shell" in out
    code, out, _ = await terminal.run("verify", "--json")
    assert (code, json.loads(out)) == (0, {"rooms": 1, "different": []})

    database = Database(tmp_path / "Bob-cli.db")
    with database.transaction():
        database.execute("delete from messages where body = 'hello from a shell'")
    database.close()
    code, out, _ = await terminal.run("verify")
    assert code == 1
    assert "0 of 1 rooms agree." in out


async def test_expected_failures_are_two_lines_and_exit_1(stack: Status, tmp_path: Path) -> None:
    ann = await sign_up(stack, "Ann")
    terminal = Shell(stack, ann, tmp_path)
    for words, environment, detail in (
        (("send", "nowhere", "hi"), {}, "No rooms are called 'nowhere'."),
        (("tail", "--no-follow"), {"PARLEY_PASSWORD": "wrong", "PARLEY_STORE": "w.db"}, "Auth"),
        (("verify",), {"SUPABASE_URL": "http://127.0.0.1:9", "PARLEY_STORE": "v.db"}, "Auth"),
        (("verify",), {"SUPABASE_URL": "http://127.0.0.1:9"}, "The local copy"),
    ):
        paths = {
            name: str(tmp_path / value) if name == "PARLEY_STORE" else value
            for name, value in environment.items()
        }
        code, out, error = await terminal.run(*words, **paths)
        assert (code, out) == (1, ""), error
        assert detail in error and "Traceback" not in error, error
        assert len(error.strip().splitlines()) == 2, error
