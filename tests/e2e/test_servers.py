"""A server acts as people and bots: from Python, JavaScript, an Edge Function and psycopg."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio
from supabase import AsyncClientOptions, acreate_client

import parley
from parley.errors import InvalidInput, RoomNotFound, SignInRequired, Unreachable, UserNotFound
from parley.stack import Stack, Status
from parley.stack.control import remove
from tests.e2e.chat_people import NOWHERE, listening, room_of, signed_up
from tests.e2e.test_chat_javascript import company

REPOSITORY = Path(__file__).parents[2]
EDGE = """
import { createClient } from "npm:@supabase/supabase-js@2.119.0";
Deno.serve(async (request) => {
  const { user, room, body } = await request.json();
  const key = JSON.parse(Deno.env.get("SUPABASE_SECRET_KEYS")!).default;
  const server = createClient(Deno.env.get("SUPABASE_URL")!, key, {
    db: { schema: "chat" },
    global: { headers: { "x-parley-user": user } },
  });
  const { data, error } = await server.rpc("send_message", {
    room_id: room,
    body,
    client_id: crypto.randomUUID(),
  });
  return Response.json({ sender: data?.sender_id, slug: error?.message });
});
"""
AS_SOMEBODY = """
select
  set_config('role', 'service_role', true),
  set_config('request.jwt.claims', '{"role": "service_role"}', true),
  set_config('request.headers', %s, true)
"""


async def test_a_message_of_a_server_reaches_people_as_one_of_that_person(stack: Status) -> None:
    async with listening(stack, "Ann", "Bob") as (ann, bob):
        room_id = UUID(await room_of(ann, bob))
        async with parley.server(stack.api_url, stack.secret_key) as server:
            message = await server.acting_as(ann.user_id).send_message(room_id, "Hi", uuid4())
            assert str(message.sender_id) == ann.user_id
            await bob.hears_message(str(room_id), message.seq)
            rooms = await server.acting_as(UUID(bob.user_id)).list_rooms()
            assert [(each.room.id, each.unread) for each in rooms] == [(room_id, 1)]


async def test_a_server_as_itself_calls_what_needs_no_person(stack: Status) -> None:
    async with parley.server(stack.api_url, stack.secret_key) as server:
        bot = await server.api.create_bot("Helper", metadata={"model": "small"})
        assert (bot.is_bot, bot.metadata) == (True, {"model": "small"})
        as_bot = server.acting_as(bot.user_id)
        room = await as_bot.create_room("Desk")
        word = await server.api.post_system_message(room.id, "desk_opened")
        assert (word.kind, word.sender_id) == ("system", UUID(int=0))
        with pytest.raises(SignInRequired):
            await server.api.list_rooms()
        assert (await server.api.retire_bot(bot.user_id)).closed_at is not None
        with pytest.raises(UserNotFound):
            await as_bot.list_rooms()


async def test_a_server_raises_what_people_would_meet(stack: Status) -> None:
    async with signed_up(stack, "Ann", "Dan") as (ann, dan):
        room_id = UUID(await room_of(ann))
        async with parley.server(stack.api_url, stack.secret_key) as server:
            with pytest.raises(RoomNotFound):
                await server.acting_as(dan.user_id).send_message(room_id, "Hi", uuid4())
            with pytest.raises(UserNotFound):
                await server.acting_as(NOWHERE).list_rooms()
            with pytest.raises(InvalidInput):
                server.acting_as("Ann")
            assert await server.acting_as(ann.user_id).list_rooms()
        with pytest.raises(InvalidInput):
            parley.server("nowhere", stack.secret_key)
        async with parley.server("http://127.0.0.1:1", stack.secret_key) as away:
            with pytest.raises(Unreachable):
                await away.acting_as(ann.user_id).list_rooms()


async def test_supabase_py_acts_as_somebody_with_a_header(stack: Status) -> None:
    async with signed_up(stack, "Ann") as (ann,):
        options = AsyncClientOptions(schema="chat", headers={"x-parley-user": ann.user_id})
        client = await acreate_client(stack.api_url, stack.secret_key, options)
        answer = await client.rpc("create_room", {"name": "Porto"}).execute()
        assert isinstance(answer.data, dict) and answer.data["created_by"] == ann.user_id


async def test_supabase_js_acts_as_somebody_with_a_header(stack: Status) -> None:
    async with company(stack) as here:
        made = await here.bob.call_as(
            stack.secret_key, here.ann.user_id, "create_room", name="Porto"
        )
        assert made["data"]["created_by"] == here.ann.user_id
        refused = await here.bob.call_as(
            stack.publishable_key, here.ann.user_id, "create_room", name="Porto"
        )
        assert (refused["status"], refused["error"]["code"]) == (401, "42501")


async def test_psycopg_acts_as_somebody_with_settings_of_the_transaction(stack: Status) -> None:
    async with signed_up(stack, "Ann") as (ann,):
        headers = json.dumps({"x-parley-user": ann.user_id})
        with psycopg.connect(stack.db_url) as connection:
            connection.execute(AS_SOMEBODY, [headers])
            made = connection.execute(
                "select created_by::text from chat.create_room('Porto')"
            ).fetchone()
            assert made == (ann.user_id,)
            connection.commit()
            # Nothing is left for whoever gets the connection next.
            left = connection.execute(
                "select current_user::text, coalesce(current_setting('request.headers', true), '')"
            ).fetchone()
            assert left == ("postgres", "")


async def test_no_account_takes_the_id_of_a_bot(stack: Status) -> None:
    async with parley.server(stack.api_url, stack.secret_key) as server:
        bot = await server.api.create_bot("Helper")
        with (
            psycopg.connect(stack.admin_db_url) as auth,
            pytest.raises(psycopg.Error, match="not_allowed"),
        ):
            auth.execute(
                "insert into auth.users (id, email) values (%s, 'taken@parley.example')",
                [bot.user_id],
            )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def project(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Status]:
    """A project with Parley and an Edge Function of its own."""
    root = tmp_path_factory.mktemp("servers")
    shutil.copytree(REPOSITORY / "supabase" / "migrations", root / "supabase" / "migrations")
    shutil.copy(REPOSITORY / "supabase" / "config.toml", root / "supabase" / "config.toml")
    function = root / "supabase" / "functions" / "say" / "index.ts"
    function.parent.mkdir(parents=True)
    function.write_text(EDGE)
    stack = Stack(root / "state", port=0, db_port=0, project=root)
    try:
        yield await stack.up()
    finally:
        await stack.down()
        await remove(stack.home)


async def test_an_edge_function_acts_as_somebody(project: Status) -> None:
    async with signed_up(project, "Ann", "Dan") as (ann, dan):
        room_id = await room_of(ann)

        async def say(user_id: str) -> dict[str, Any]:
            async with httpx.AsyncClient(timeout=60) as http:
                answer = await http.post(
                    f"{project.api_url}/functions/v1/say",
                    headers={
                        "apikey": project.publishable_key,
                        "Authorization": f"Bearer {ann.token}",
                    },
                    json={"user": user_id, "room": room_id, "body": "From the edge"},
                )
                return dict(answer.json())

        assert await say(ann.user_id) == {"sender": ann.user_id}
        assert await say(dan.user_id) == {"slug": "room_not_found"}
