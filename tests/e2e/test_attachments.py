"""Files on their way through the local stack: both clients, the outbox, and the collection."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
import pytest
from supabase import acreate_client

from parley.client import Chat
from parley.errors import FileNotFound, InvalidInput
from parley.stack import Status
from parley.sync.change import Progress
from parley.sync.database import Database
from parley.sync.storage import Storage
from parley.sync.view_models import Message
from tests.e2e.chat_people import room_of, signed_up
from tests.e2e.sync_people import PASSWORD, chatting, sign_up
from tests.until import until

SCRIPT = Path(__file__).with_name("attachments.mjs")
NOWHERE = "http://127.0.0.1:9"
PIECE = bytes(range(256))
FILM = PIECE * 4000
# Attaches a film while there is no server, and is then killed.
ATTACH = """
import asyncio, sys
from parley.client import Chat

async def main():
    url, key, store, room, film = sys.argv[1:]
    async with Chat(url, key, store) as chat:
        await chat.attach(room, film, body="a film", width=4, height=3, duration=1.5)
        print("attached", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
# Attaches a film, and is killed when half of its bytes have left.
ATTACH_HALF = """
import asyncio, os, signal, sys
from parley.client import Chat
from parley.sync.uploads import Uploads

whole = Uploads.chunks

async def half(uploads, upload):
    sent = 0
    async for chunk in whole(uploads, upload):
        if sent >= upload.size / 2:
            os.kill(os.getpid(), signal.SIGKILL)
        yield chunk
        sent += len(chunk)

Uploads.chunks = half

async def main():
    url, key, store, room, film = sys.argv[1:]
    async with Chat(url, key, store) as chat:
        await chat.attach(room, film, body="a film")
        await asyncio.Event().wait()

asyncio.run(main())
"""


def found(chat: Chat, message: Message) -> Message:
    """A message as it is shown now."""
    shown = chat.messages(message.room_id)
    return next(each for each in shown if each.client_id == message.client_id)


def files_of(message: Message) -> list[dict[str, Any]]:
    """What a message says of its files."""
    return cast("list[dict[str, Any]]", message.attachments)


def copies(store: Path) -> list[Path]:
    """The copies of files that wait, beside the file of a device."""
    return list(Path(f"{store}-files").iterdir())


async def test_supabase_js_sends_blobs_files_and_bytes(stack: Status) -> None:
    async with signed_up(stack, "Ann", "Bob") as (ann, bob):
        room_id = await room_of(ann, bob)
        process = await asyncio.create_subprocess_exec(
            *("node", str(SCRIPT), stack.api_url, stack.publishable_key),
            *(ann.token, bob.token, room_id),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    right = {"stored": None, "over": True, "sent": None, "read": "olá"}
    assert json.loads(out) == dict.fromkeys(("blob", "file", "bytes"), right)


async def test_a_file_is_sent_with_progress_and_read_by_the_others(
    stack: Status, tmp_path: Path
) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    async with (
        chatting(stack, ann, tmp_path / "ann.db") as anns,
        chatting(stack, bob, tmp_path / "bob.db") as bobs,
    ):
        room = await anns.open_direct(bob.user_id)
        told: list[Progress] = []

        async def follow() -> None:
            async for change in anns.changes():
                if change.upload is not None:
                    told.append(change.upload)

        following = asyncio.create_task(follow())
        await asyncio.sleep(0)
        sent = await anns.attach(
            room.id, FILM, name="Olá 🌅.png", body="look", width=640, height=480, duration=2.5
        )
        assert sent.state == "pending"
        path = files_of(sent)[0]["path"]
        assert await anns.download(path) == FILM, "it is shown before it is sent"
        await anns.settled()
        following.cancel()
        message = found(anns, sent)
        assert message.seq is not None and files_of(message) == [
            {
                "path": path,
                "name": "Olá 🌅.png",
                "mime_type": "image/png",
                "size": len(FILM),
                "width": 640,
                "height": 480,
                "duration": 2.5,
            }
        ]
        steps = [each.sent for each in told]
        assert steps == sorted(steps) and len(steps) > 3
        assert (told[0].sent, told[-1].sent, told[-1].size) == (0, len(FILM), len(FILM))
        await until(lambda: not copies(tmp_path / "ann.db"))
        await bobs.sync()
        (theirs,) = files_of(found(bobs, sent))
        assert await bobs.download(theirs["path"]) == FILM
        assert await bobs.download(theirs["path"], width=100) == FILM, (
            "nothing here makes it smaller"
        )
        with pytest.raises(FileNotFound):
            await bobs.download(f"{room.id}/{uuid4()}/other.png")


async def test_a_file_that_is_refused_says_so_and_can_be_dismissed(
    stack: Status, tmp_path: Path
) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    async with chatting(stack, ann, tmp_path / "ann.db") as chat:
        room = await chat.open_direct(bob.user_id)
        page = await chat.attach(room.id, b"<html>", name="page.html")
        text = await chat.attach(room.id, b"text", name="text.txt")
        await chat.settled()
        shown = found(chat, page)
        assert (shown.state, shown.reason) == ("failed", "not_allowed")
        assert found(chat, text).seq is not None, "the next file passes"
        assert shown.item_id is not None
        await chat.retry(shown.item_id)
        await chat.settled()
        assert found(chat, page).state == "failed"
        assert len(copies(tmp_path / "ann.db")) == 1
        await chat.dismiss(shown.item_id)
        assert copies(tmp_path / "ann.db") == []
        with pytest.raises(InvalidInput, match="cannot be read"):
            await chat.attach(room.id, tmp_path / "no such file")
        with pytest.raises(InvalidInput):
            await chat.attach(room.id, b"x", mentions=["nobody"])


async def test_an_attached_file_survives_a_killed_process_and_its_original(
    stack: Status, tmp_path: Path
) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    store, film = tmp_path / "ann.db", tmp_path / "film.mp4"
    film.write_bytes(FILM)
    async with chatting(stack, ann, store, live=False) as chat:
        room_id = (await chat.open_direct(bob.user_id)).id
    path = await attach_offline(stack, store, room_id, film)
    film.unlink()
    (copy,) = copies(store)
    assert copy.read_bytes() == FILM
    async with chatting(stack, ann, store, live=False) as chat:
        await chat.settled()
        message = chat.messages(room_id)[-1]
        assert (message.body, message.seq) == ("a film", 1)
        await until(lambda: not copies(store))
        assert files_of(message)[0]["path"] == path
        assert await chat.download(path) == FILM


async def attach_offline(stack: Status, store: Path, room_id: UUID, film: Path) -> str:
    """Attach in a process without a network and kill it; returns the path in storage."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ATTACH, stack.api_url, stack.publishable_key),
        *(str(store), str(room_id), str(film)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "ALL_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE},
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"attached\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    with closing(Database(store)) as database:
        return str(database.one("select path from uploads")["path"])


async def test_a_client_that_is_killed_in_the_middle_of_an_upload_sends_the_whole_file_once(
    stack: Status, tmp_path: Path
) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    store, film = tmp_path / "ann.db", tmp_path / "film.mp4"
    film.write_bytes(FILM)
    async with chatting(stack, ann, store, live=False) as chat:
        room_id = (await chat.open_direct(bob.user_id)).id
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ATTACH_HALF, stack.api_url, stack.publishable_key),
        *(str(store), str(room_id), str(film)),
    )
    assert await process.wait() == -signal.SIGKILL
    async with chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs:
        assert bobs.messages(room_id) == [], "a message waits for its file"
        async with chatting(stack, ann, store, live=False) as chat:
            await chat.settled()
        await bobs.sync()
        (message,) = bobs.messages(room_id)
        assert message.body == "a film"
        assert await bobs.download(files_of(message)[0]["path"]) == FILM
    with psycopg.connect(stack.db_url) as owner:
        kept = owner.execute(
            "select count(*) from storage.objects where name like %s", [f"{room_id}/%"]
        )
        assert kept.fetchall() == [(1,)]


async def test_an_upload_whose_answer_was_lost_is_not_made_twice(
    stack: Status, tmp_path: Path
) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    store, film = tmp_path / "ann.db", tmp_path / "film.png"
    film.write_bytes(FILM)
    async with chatting(stack, ann, store, live=False) as chat:
        room_id = (await chat.open_direct(bob.user_id)).id
    path = await attach_offline(stack, store, room_id, film)
    client = await acreate_client(stack.api_url, stack.publishable_key)
    await client.auth.sign_in_with_password({"email": ann.email, "password": PASSWORD})
    bucket = client.storage.from_("chat-attachments")
    await bucket.upload(path, FILM, {"content-type": "image/png"})
    async with chatting(stack, ann, store, live=False) as chat:
        await chat.settled()
        message = chat.messages(room_id)[-1]
        assert (message.seq, files_of(message)[0]["path"]) == (1, path)


async def test_a_word_does_not_wait_for_a_file_that_waits(stack: Status, tmp_path: Path) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    async with chatting(stack, ann, tmp_path / "ann.db", live=False) as chat:
        room_id = (await chat.open_direct(bob.user_id)).id
        held = asyncio.Event()
        upload = Storage.upload

        async def hold(*arguments: Any) -> None:
            await held.wait()
            await upload(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Storage, "upload", hold)
            film = await chat.attach(room_id, FILM, name="film.png", body="a film")
            await chat.react(film, "👍")
            word = await chat.send(room_id, "a word")
            await until(lambda: found(chat, word).seq)
            assert found(chat, film).state == "pending"
            held.set()
            await chat.settled()
        await chat.sync()
        assert (found(chat, word).seq, found(chat, film).seq) == (1, 2)
        assert found(chat, film).reactions == {"👍": (UUID(ann.user_id),)}


async def test_forgetting_a_copy_deletes_its_files(stack: Status, tmp_path: Path) -> None:
    ann, bob = await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob"))
    async with chatting(stack, ann, tmp_path / "ann.db", live=False) as chat:
        room_id = (await chat.open_direct(bob.user_id)).id
    film = tmp_path / "film.png"
    film.write_bytes(FILM)
    await attach_offline(stack, tmp_path / "ann.db", room_id, film)
    async with Chat(stack.api_url, stack.publishable_key, tmp_path / "ann.db") as chat:
        await chat.forget()
    with pytest.raises(FileNotFoundError):
        copies(tmp_path / "ann.db")
