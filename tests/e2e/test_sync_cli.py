"""The commands of the chat client as people run them: processes, arguments, exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from parley.stack import Stack, Status
from parley.stack.control import remove
from parley.sync.database import Database
from parley.sync.outbox import Outbox, Said
from tests.e2e.sync_people import PASSWORD, Account, bodies, chatting, sign_up
from tests.forks import Command, parley
from tests.hostile import HOSTILE, assert_hostile_but_shown, assert_shown

pytestmark = pytest.mark.lasts(60)


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

    async def start(self, *words: str, **environment: str) -> Command:
        """Start a command."""
        return await parley(words, {**self._environment, **environment})

    async def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """Run a command to its end; returns its exit code, stdout and stderr."""
        return await (await self.start(*words, **environment)).communicate()

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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    own = Stack(tmp_path_factory.mktemp("own") / "state", port=0, db_port=0)
    try:
        await own.up()
        yield own
    finally:
        await own.down()
        await remove(own.home)


@pytest_asyncio.fixture(loop_scope="session")
async def own(own_stack: Stack) -> Stack:
    """A stack that runs, and that a test may stop."""
    if not own_stack.status.running:
        await own_stack.up()
    return own_stack


async def test_without_a_server_a_message_waits_and_the_next_command_sends_it(
    own: Stack, tmp_path: Path
) -> None:
    status, home = own.status, own.home
    ann, bob = await asyncio.gather(sign_up(status, "Ann"), sign_up(status, "Bob"))
    async with chatting(status, ann, tmp_path / "other.db", live=False) as anns:
        room = await anns.create_room("tunnel", [bob.user_id])
    terminal = Shell(status, ann, tmp_path)
    # The local stack that runs, or ran, is found by its folder.
    here = {"SUPABASE_URL": "", "SUPABASE_KEY": "", "PARLEY_HOME": str(home)}
    assert (await terminal.run("send", "tunnel", "before", **here))[:2] == (0, "1\n")
    opened = await terminal.run("open", "Bob", **here)
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
    code, out, error = await terminal.run("rooms", **here)
    assert f"{room.id} tunnel · 0 unread, 0 mentions\n" in out
    assert (code, error.startswith("The server does not answer")) == (0, True)
    code, out, error = await terminal.run("people", "b", **here)
    assert (code, out) == (0, f"{bob.user_id} Bob\n")
    assert error.startswith("The server does not answer")
    assert opened == await terminal.run("open", "Bob", **here)
    assert (opened[0], opened[2], len(opened[1])) == (0, "", len(f"{room.id}\n"))
    for words in (("send", "nowhere", "?"), ("open", "Nobody")):
        code, out, error = await terminal.run(*words, **here)
        assert (code, out, len(error.splitlines())) == (1, "", 2)

    await own.up()
    code, out, error = await terminal.run("send", "tunnel", "after", **here)
    assert (code, out, error) == (0, "4\n", "")
    async with chatting(status, bob, tmp_path / "bob.db", live=False) as bobs:
        assert bodies(bobs, room.id) == ["before", "inside", "still", "after"]


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
    assert error.startswith("The server refused it: A message has at most 8,000 characters.")
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
        (("send", "nowhere", "hi"), {}, "No rooms are called “nowhere”."),
        (("tail", "--no-follow"), {"PARLEY_PASSWORD": "wrong", "PARLEY_STORE": "w.db"}, "Auth"),
        (("verify",), {"SUPABASE_URL": "http://127.0.0.1:9", "PARLEY_STORE": "v.db"}, "Auth"),
        (("send", "nowhere", " "), {}, "There is nothing to send."),
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


async def test_a_person_is_written_to_before_there_is_a_room(stack: Status, tmp_path: Path) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    name = f"Bob {uuid4().hex[:8]}"
    async with chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs:
        await bobs.api.update_profile(display_name=name)
        terminal = Shell(stack, ann, tmp_path)
        assert await terminal.run("send", name, "hello") == (0, "1\n", "")
        assert await terminal.run("send", name, "again") == (0, "2\n", "")
        await bobs.sync()
        assert [bodies(bobs, each.id) for each in bobs.rooms()] == [["hello", "again"]]


async def test_a_file_is_sent_from_a_terminal(stack: Status, tmp_path: Path) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    note = tmp_path / "note.txt"
    note.write_text("by the lake")
    async with chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs:
        terminal = Shell(stack, ann, tmp_path)
        code, out, error = await terminal.run("send", bob.user_id, "--file", str(tmp_path / "none"))
        assert (code, out) == (1, "") and "none" in error
        assert await terminal.run("send", bob.user_id, "--file", str(note)) == (0, "1\n", "")
        await bobs.sync()
        (room,) = bobs.rooms()
        (message,) = bobs.messages(room.id)
        (file,) = message.model_dump(mode="json")["attachments"]
        assert (file["name"], file["mime_type"]) == ("note.txt", "text/plain")
        assert await bobs.download(file["path"]) == b"by the lake"


async def test_rooms_and_people_are_listed_and_a_direct_room_is_opened(
    stack: Status, tmp_path: Path
) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    name = f"Bob {uuid4().hex[:8]}"
    terminal = Shell(stack, ann, tmp_path)
    async with chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs:
        await bobs.api.update_profile(display_name=name)
        assert await terminal.run("rooms") == (0, "", "")
        code, out, error = await terminal.run("people", name, "--json")
        assert (code, error) == (0, "")
        assert json.loads(out) == {"user_id": bob.user_id, "display_name": name}

        code, out, error = await terminal.run("open", name)
        assert (code, error) == (0, "")
        room_id = out.strip()
        for word in (name, bob.user_id):
            code, out, error = await terminal.run("open", word, "--json")
            assert (code, error) == (0, "")
            assert json.loads(out) == {"room_id": room_id, "name": name}
        await bobs.sync()
        assert [str(each.id) for each in bobs.rooms()] == [room_id]
        await bobs.send(UUID(room_id), "one", mentions=[ann.user_id])
        await bobs.send(UUID(room_id), "two")
        await bobs.settled()
    assert await terminal.run("rooms") == (0, f"{room_id} {name} · 2 unread, 1 mention\n", "")
    code, out, error = await terminal.run("rooms", "--json")
    listed = {"room_id": room_id, "name": name, "unread": 2, "mentions": 1}
    assert (code, json.loads(out), error) == (0, listed, "")
    assert await terminal.run("people", name[:10].lower()) == (0, f"{bob.user_id} {name}\n", "")

    code, out, error = await terminal.run("open", "nobody at all")
    assert (code, out) == (1, "")
    assert error == (
        "No people are called “nobody at all”.\n"
        "Give the id of the person instead; 'parley people' prints the ids.\n"
    )
    code, out, error = await terminal.run("tail", "no such room", "--no-follow")
    assert (code, out, error.splitlines()[1]) == (
        1,
        "",
        "Give the id of the room instead; 'parley rooms' prints the ids.",
    )


async def test_a_word_of_a_name_finds_people_where_they_are_findable(
    stack: Status, tmp_path: Path
) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    word = uuid4().hex[:8]
    terminal = Shell(stack, ann, tmp_path)
    with psycopg.connect(stack.db_url, autocommit=True) as owner:
        async with chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs:
            await bobs.api.update_profile(display_name=f"Bób Élan-{word} Marley")
        async with chatting(stack, ann, tmp_path / "ann.db", live=False) as anns:
            assert await anns.people_called(f"elan {word}") == []
            owner.execute("update chat_private.settings set people_are_findable = true")
            try:
                called = await anns.people_called(f"elan {word}")
                assert [str(each.user_id) for each in called] == [bob.user_id]
                assert await anns.people_called("a line\nand another") == []
                found = await terminal.run("people", word)
                assert found == (0, f"{bob.user_id} Bób Élan-{word} Marley\n", "")
                # Whom to write to is never guessed.
                assert (await terminal.run("open", word))[0] == 1
                assert (await terminal.run("open", f"Bób Élan-{word} Marley"))[0] == 0
            finally:
                owner.execute("update chat_private.settings set people_are_findable = default")


async def test_a_file_of_another_account_is_not_used(own: Stack, tmp_path: Path) -> None:
    status, home = own.status, own.home
    ann, bob = await asyncio.gather(sign_up(status, "Ann"), sign_up(status, "Bob"))
    async with chatting(status, ann, tmp_path / "other.db", live=False) as anns:
        room = await anns.create_room("notes", [bob.user_id])
    terminal = Shell(status, ann, tmp_path)
    here = {"SUPABASE_URL": "", "SUPABASE_KEY": "", "PARLEY_HOME": str(home)}
    assert (await terminal.run("send", "notes", "mine", **here))[0] == 0
    online = await terminal.run("send", "notes", "his", "--email", bob.email, **here)
    await own.down()
    offline = await terminal.run("send", "notes", "his", "--email", bob.email, **here)
    for code, out, error in (online, offline):
        assert (code, out) == (1, "")
        assert f"is that of {ann.email}, not of {bob.email}" in error
    waits = await terminal.run("send", "notes", "also mine", **here)
    assert waits[:2] == (0, ""), waits
    await own.up()
    async with chatting(status, bob, tmp_path / "bob.db", live=False) as bobs:
        assert bodies(bobs, room.id) == ["mine"]


async def test_what_others_write_is_shown_and_not_obeyed(stack: Status, tmp_path: Path) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    terminal = Shell(stack, bob, tmp_path)
    text = HOSTILE.replace("\ud83d", "")
    async with chatting(stack, ann, tmp_path / "ann.db", live=False) as anns:
        room = await anns.create_room("terminal", [bob.user_id])
        await anns.send(room.id, "a first line")
        await anns.send(room.id, f"{text}\n00:00:00 forged · Ann: line")
        await anns.settled()
    code, out, error = await terminal.run("tail", "--no-follow", "-n", "1")
    assert (code, error, len(out.splitlines())) == (0, "", 1)
    assert_hostile_but_shown(out)
    code, out, error = await terminal.run("tail", "--no-follow", "-n", "1", "--json")
    assert_hostile_but_shown(out)
    assert json.loads(out)["body"].startswith(text)

    # The database takes no such names; another server may.
    database = Database(tmp_path / "Bob-cli.db")
    with database.transaction():
        database.execute("update rooms set row = json_set(row, '$.name', ?)", (text,))
        database.execute("update profiles set row = json_set(row, '$.display_name', ?)", (text,))
        database.execute("delete from messages where seq = 1")
    database.close()
    code, out, error = await terminal.run("tail", "--no-follow", "-n", "1")
    assert (code, error, out.count("EVIL")) == (0, "", 3)
    assert_hostile_but_shown(out)
    for command in ("rooms", "people"):
        code, out, error = await terminal.run(command)
        assert (code, error, len(out.splitlines())) == (0, "", 1), out
        assert_hostile_but_shown(out)
    code, out, error = await terminal.run("verify")
    assert (code, error) == (1, "")
    assert_hostile_but_shown(out)
    code, out, error = await terminal.run("send", f"no {text}", "x")
    assert (code, out) == (1, "")
    assert_shown(error)


async def test_what_a_server_says_is_shown_and_not_obeyed(stack: Status, tmp_path: Path) -> None:
    ann = await sign_up(stack, "Ann")

    async def refuse(_: web.Request) -> web.Response:
        names = ("code", "message", "msg", "error", "error_code", "error_description", "details")
        answer = {**dict.fromkeys(names, HOSTILE), "hint": HOSTILE}
        return web.json_response(answer, status=400)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    async with TestServer(app) as server:
        there = {"SUPABASE_URL": str(server.make_url("")).rstrip("/")}
        for words in (("tail", "--no-follow"), ("send", "x", "y"), ("verify",)):
            code, out, error = await Shell(stack, ann, tmp_path).run(*words, **there)
            assert (code, out) == (1, ""), error
            assert_shown(error)
            assert "Traceback" not in error, error
            assert "[bold red]EVIL[/]" in error, error
