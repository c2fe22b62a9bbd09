"""Files go away: from a deleted message, or unsent, through the real Edge Function.

And they come in one piece, although the front door dies: what is killed here is nobody else's.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio

from parley.stack import Stack
from parley.stack.control import remove
from parley.sync.uploads import Upload, Uploads
from tests.e2e.chat_people import Member, room_of, signed_up
from tests.e2e.sync_people import chatting, sign_up
from tests.until import until

SUPABASE = Path(__file__).parents[2] / "supabase"
SECRET = "a secret of the tests"
BUCKET = "chat-attachments"
DEADLINE_S = 90.0
FILM = bytes(range(256)) * 4000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    root = tmp_path_factory.mktemp("files")
    shutil.copytree(SUPABASE, root / "supabase")
    (root / "supabase" / "functions" / ".env").write_text(f"FILES_SECRET='{SECRET}'")
    stack = Stack(root / "state", port=0, db_port=0, project=root)
    try:
        await stack.up()
        yield stack
    finally:
        await stack.down()
        await remove(stack.home)


async def collect(stack: Stack, secret: str = SECRET) -> httpx.Response:
    """Wake the function."""
    async with httpx.AsyncClient(timeout=DEADLINE_S) as client:
        return await client.post(
            f"{stack.status.api_url}/functions/v1/collect-chat-files",
            headers={"x-files-secret": secret},
        )


async def upload(member: Member, room_id: str) -> str:
    """Upload a file to a room; returns its path."""
    path = f"{room_id}/{uuid4()}/x.png"
    bucket = member.client.storage.from_(BUCKET)
    await bucket.upload(path, b"x", {"content-type": "image/png"})
    return path


async def test_what_was_deleted_or_never_sent_is_removed_and_nothing_else(
    own_stack: Stack,
) -> None:
    async with signed_up(own_stack.status, "Ann") as (ann,):
        room_id = await room_of(ann)
        deleted, kept, unsent, new = [await upload(ann, room_id) for _ in range(4)]
        seqs = []
        for path in (deleted, kept):
            message = await ann.call(
                "send_message",
                room_id=room_id,
                body="",
                client_id=str(uuid4()),
                attachments=[{"path": path}],
            )
            seqs.append(message["seq"])
        await ann.call("delete_message", room_id=room_id, seq=seqs[0])
        url = own_stack.status.db_url
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner:
            await owner.execute(
                "update storage.objects set created_at = now() - interval '2 days' where name = %s",
                [unsent],
            )
            await owner.execute("select chat.run_maintenance()")

            assert (await collect(own_stack, "another secret")).status_code == 401
            answer = await collect(own_stack)
            assert answer.status_code == 200, answer.text

            async def left() -> set[str] | None:
                rows = await owner.execute("select name from storage.objects")
                names = {name for (name,) in await rows.fetchall()}
                queue = await owner.execute("select from chat_private.file_queue")
                return None if await queue.fetchone() else names

            # (The front door may have woken the function a moment before us.)
            assert await until(left, DEADLINE_S) == {kept, new}
        bucket = ann.client.storage.from_(BUCKET)
        assert await bucket.download(kept) == b"x"
        assert (await collect(own_stack)).json() == {"claimed": 0, "removed": 0, "more": False}


async def test_a_front_door_that_is_killed_in_the_middle_of_an_upload_costs_time_and_no_message(
    own_stack: Stack, tmp_path: Path
) -> None:
    status = own_stack.status
    door = status.parts["gateway"]
    assert door.pid is not None
    whole = Uploads.chunks
    pids = [door.pid]

    async def chunks(uploads: Uploads, upload: Upload) -> AsyncIterator[bytes]:
        sent = 0
        async for chunk in whole(uploads, upload):
            if pids and sent >= upload.size / 2:
                os.kill(pids.pop(), signal.SIGKILL)
                assert await said_and_kept(own_stack) == (0, 0), "a message waits for its file"
            yield chunk
            sent += len(chunk)

    ann, bob = await asyncio.gather(sign_up(status, "Ann"), sign_up(status, "Bob"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Uploads, "chunks", chunks)
        async with (
            chatting(status, ann, tmp_path / "ann.db", live=False) as anns,
            chatting(status, bob, tmp_path / "bob.db", live=False) as bobs,
        ):
            room_id = (await anns.open_direct(bob.user_id)).id
            await anns.attach(room_id, FILM, name="film.png", body="a film")
            await until(lambda: anns.messages(room_id)[-1].seq, DEADLINE_S)
            assert not pids, "the front door was killed"
            await bobs.sync()
            (message,) = bobs.messages(room_id)
            assert message.body == "a film"
            path = cast("list[dict[str, Any]]", message.attachments)[0]["path"]
            assert await bobs.download(path) == FILM
            assert await said_and_kept(own_stack) == (1, 1)
    assert own_stack.status.parts["gateway"].pid != door.pid


async def said_and_kept(stack: Stack) -> tuple[int, int]:
    """Count the messages with this body, and the files of this name."""
    url = stack.status.db_url
    async with await psycopg.AsyncConnection.connect(url) as owner:
        rows = await owner.execute(
            "select (select count(*) from chat.messages where body = 'a film'),"
            " (select count(*) from storage.objects where name like '%/film.png')"
        )
        ((said, kept),) = await rows.fetchall()
        return said, kept
