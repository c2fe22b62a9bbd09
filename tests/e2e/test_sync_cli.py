"""tail, send and verify as people run them: processes, arguments, exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from parley.stack import Stack, Status
from parley.stack.control import remove
from parley.sync.database import Database
from parley.sync.outbox import Outbox, Said
from tests.e2e.sync_people import PASSWORD, Account, bodies, chatting, sign_up


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

    async def run_in_a_terminal(self, *words: str) -> str:
        """Run a command whose stderr is a terminal; returns what is seen there."""
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "parley.cli", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=theirs,
            env={**self._environment, "TERM": "xterm"},
        )
        os.close(theirs)
        reading = asyncio.to_thread(read_to_end, ours)
        shown, code = await asyncio.gather(reading, process.wait())
        assert code == 0, shown
        return shown


def read_to_end(terminal: int) -> str:
    """Read what a terminal shows until nobody writes to it any more."""
    shown = b""
    with suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as file:
        while piece := file.read(4096):
            shown += piece
    return shown.decode()


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


async def test_without_a_server_a_message_waits_and_the_next_command_sends_it(
    tmp_path: Path,
) -> None:
    home = tmp_path / "state"
    own = Stack(home, port=0, db_port=0)
    try:
        status = await own.up()
        ann, bob = await asyncio.gather(sign_up(status, "Ann"), sign_up(status, "Bob"))
        async with chatting(status, ann, tmp_path / "other.db", live=False) as anns:
            room = await anns.create_room("tunnel", [bob.user_id])
        terminal = Shell(status, ann, tmp_path)
        # The local stack that runs, or ran, is found by its folder.
        here = {"SUPABASE_URL": "", "SUPABASE_KEY": "", "PARLEY_HOME": str(home)}
        assert (await terminal.run("send", "tunnel", "before", **here))[:2] == (0, "1\n")
        await own.down()

        code, out, error = await terminal.run("send", "tunnel", "inside", **here)
        assert (code, out) == (0, "")
        assert error.startswith(f"It waits in {tmp_path / 'Ann-cli.db'}")
        assert "The next 'parley send' or 'parley tail'" in error
        code, out, error = await terminal.run("send", str(room.id), "still", "--json", **here)
        waiting = json.loads(out)
        assert (code, waiting["state"], waiting["seq"]) == (0, "pending", None)
        assert (waiting["body"], waiting["room_id"]) == ("still", str(room.id))
        assert waiting["sender_id"] == ann.user_id and waiting["client_id"]
        code, out, error = await terminal.run("tail", "--no-follow", **here)
        assert [line.rsplit(": ")[-1] for line in out.splitlines()[-3:]] == [
            "before",
            "inside",
            "still",
        ]
        assert (code, error.startswith("The server does not answer")) == (0, True)
        code, out, error = await terminal.run("send", "nowhere", "?", **here)
        assert (code, out, len(error.splitlines())) == (1, "", 2)

        own = Stack(home)
        await own.up()
        code, out, error = await terminal.run("send", "tunnel", "after", **here)
        assert (code, out, error) == (0, "4\n", "")
        async with chatting(status, bob, tmp_path / "bob.db", live=False) as bobs:
            assert bodies(bobs, room.id) == ["before", "inside", "still", "after"]
    finally:
        await own.down()
        await remove(home)


async def test_tail_sends_what_waits_and_a_refusal_is_told(stack: Status, tmp_path: Path) -> None:
    ann = await sign_up(stack, "Ann")
    terminal = Shell(stack, ann, tmp_path)
    async with chatting(stack, ann, tmp_path / "Ann-cli.db", live=False) as anns:
        room = await anns.create_room("notes")
    outbox = Outbox(Database(tmp_path / "Ann-cli.db"))
    outbox.add("send", str(room.id), client_id=str(uuid4()), said=Said(body="from before"))
    code, out, error = await terminal.run("tail", "notes", "--no-follow", "--json")
    assert (code, error, outbox.items()) == (0, "", [])
    assert json.loads(out.splitlines()[-1])["state"] == "sent"

    code, out, error = await terminal.run("send", "notes", "x" * 8001)
    assert (code, out) == (1, "")
    assert error.startswith("The server refused it: message_too_long.")
    assert outbox.items() == []


async def test_a_first_login_shows_how_many_rooms_are_there(stack: Status, tmp_path: Path) -> None:
    ann = await sign_up(stack, "Ann")
    async with chatting(stack, ann, tmp_path / "other.db", live=False) as anns:
        for number in range(3):
            await anns.create_room(f"room {number}")
    terminal = Shell(stack, ann, tmp_path)
    shown = await terminal.run_in_a_terminal("tail", "--no-follow")
    assert "Rooms" in shown and "3/3" in shown
    assert "3/3" not in await terminal.run_in_a_terminal("tail", "--no-follow")


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
