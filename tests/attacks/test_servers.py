"""The header x-parley-user in the hands of people who have no secret key, and of servers that err.

Mallory wants to act as Ann, who is in a room that Mallory is not in. Each attack has its control:
the same call with the secret key, or without the header, goes through.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from parley.stack import Status
from tests.e2e.chat_people import NOWHERE, Answer, Door, Member, door, room_of, signed_up

__all__ = ["door"]


@dataclass(frozen=True)
class Scene:
    """Ann in a room of hers, Mallory outside of it, Xen whose account is closed, and the door."""

    stack: Status
    door: Door
    ann: Member
    mallory: Member
    xen: Member
    room_id: str

    async def send(self, **options: Any) -> Answer:
        """Send a message to Ann's room."""
        arguments = {"room_id": self.room_id, "body": "I am Ann", "client_id": str(uuid4())}
        return await self.door.call("send_message", arguments, **options)

    async def bodies(self) -> list[str]:
        """What stands in the room."""
        rows = await self.door.read(
            f"messages?room_id=eq.{self.room_id}&kind=eq.text", token=self.ann.token
        )
        return [row["body"] for row in rows]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(stack: Status, door: Door) -> AsyncIterator[Scene]:
    async with signed_up(stack, "Ann", "Mallory", "Xen") as (ann, mallory, xen):
        room_id = await room_of(ann)
        with psycopg.connect(stack.admin_db_url, autocommit=True) as auth:
            auth.execute("delete from auth.users where id = %s", [xen.user_id])
        yield Scene(stack, door, ann, mallory, xen, room_id)


async def test_the_secret_key_acts_as_ann_and_is_the_control_of_all_attacks(scene: Scene) -> None:
    answer = await scene.send(key=scene.stack.secret_key, acting_as=scene.ann.user_id)
    assert (answer.status, answer.body["sender_id"]) == (200, scene.ann.user_id)


async def test_the_publishable_key_acts_as_nobody(scene: Scene) -> None:
    before = await scene.bodies()
    answer = await scene.send(acting_as=scene.ann.user_id)
    assert (answer.status, answer.body["code"]) == (401, "42501")
    assert await scene.bodies() == before


@pytest.mark.parametrize("name", ["ann", "nobody", "closed", "malformed"])
async def test_a_person_acts_as_nobody_else_and_learns_nothing_about_ids(
    scene: Scene, name: str
) -> None:
    header = {
        "ann": scene.ann.user_id,
        "nobody": NOWHERE,
        "closed": scene.xen.user_id,
        "malformed": "'; drop table chat.messages; --",
    }[name]
    before = await scene.bodies()
    answer = await scene.send(token=scene.mallory.token, acting_as=header)
    assert (answer.status, answer.slug) == (403, "not_allowed")
    heads = await scene.door.call("list_heads", token=scene.mallory.token, acting_as=header)
    assert (heads.status, heads.slug) == (403, "not_allowed")
    assert await scene.bodies() == before
    own = await scene.door.call(
        "list_heads", token=scene.mallory.token, acting_as=scene.mallory.user_id
    )
    assert own.status == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"app_metadata": {"role": "service_role"}},
        {"user_metadata": {"role": "service_role", "x-parley-user": "ann"}},
        {"user_role": "service_role"},
        {"x-parley-user": "ann"},
        {"request.headers": {"x-parley-user": "ann"}},
    ],
)
async def test_no_claim_beside_the_role_makes_a_server(
    scene: Scene, claims: dict[str, Any]
) -> None:
    token = scene.door.sign(
        {"role": "authenticated", "sub": scene.mallory.user_id, "aud": "authenticated", **claims}
    )
    answer = await scene.send(token=token, acting_as=scene.ann.user_id)
    assert (answer.status, answer.slug) == (403, "not_allowed")
    plain = await scene.send(token=token)
    assert (plain.status, plain.slug) == (404, "room_not_found")


async def test_a_token_of_a_role_that_is_no_server_does_not_become_one(scene: Scene) -> None:
    # Signed with the secret of the project, as nobody outside can: the role is what decides.
    answer = await scene.send(
        token=scene.door.sign({"role": "authenticated"}), acting_as=scene.ann.user_id
    )
    assert (answer.status, answer.slug) == (403, "not_allowed")
    server = await scene.send(
        key=scene.stack.secret_key,
        token=scene.door.sign({"role": "service_role"}),
        acting_as=scene.ann.user_id,
    )
    assert server.status == 200


@pytest.mark.parametrize("header", [NOWHERE, "closed", "", "Ann", "{}", "null", "a" * 4000])
async def test_a_server_is_told_that_there_is_nobody_and_never_meets_a_cast(
    scene: Scene, header: str
) -> None:
    named = scene.xen.user_id if header == "closed" else header
    answer = await scene.send(key=scene.stack.secret_key, acting_as=named)
    assert (answer.status, answer.slug) == (404, "user_not_found")


async def test_a_server_without_the_header_is_nobody(scene: Scene) -> None:
    answer = await scene.send(key=scene.stack.secret_key)
    assert (answer.status, answer.slug) == (401, "sign_in_required")


async def test_the_header_widens_no_read_of_a_table(scene: Scene) -> None:
    query = f"messages?room_id=eq.{scene.room_id}"
    assert await scene.door.read(query, token=scene.ann.token)
    assert not await scene.door.read(query, token=scene.mallory.token)
    assert not await scene.door.read(query, token=scene.mallory.token, acting_as=scene.ann.user_id)
    answer = await scene.door.request("GET", query, acting_as=scene.ann.user_id)
    assert answer.status == 401
    profiles = f"profiles?user_id=eq.{scene.mallory.user_id}"
    assert await scene.door.read(profiles, token=scene.mallory.token, acting_as=scene.ann.user_id)


async def test_the_secret_key_reads_tables_as_nobody_whatever_the_header_says(
    scene: Scene,
) -> None:
    query = f"messages?room_id=eq.{scene.room_id}"
    everything = await scene.door.read(query, key=scene.stack.secret_key)
    assert everything
    assert everything == await scene.door.read(
        query, key=scene.stack.secret_key, acting_as=scene.mallory.user_id
    )


async def test_limits_and_fences_hold_for_a_server_as_for_the_person(scene: Scene) -> None:
    key = scene.stack.secret_key
    answer = await scene.send(key=key, acting_as=scene.mallory.user_id)
    assert (answer.status, answer.slug) == (404, "room_not_found")
    await scene.ann.call(
        "add_member", room_id=scene.room_id, user_id=scene.mallory.user_id, role="reader"
    )
    answer = await scene.send(key=key, acting_as=scene.mallory.user_id)
    assert (answer.status, answer.slug) == (403, "not_allowed")
    await scene.ann.call("remove_member", room_id=scene.room_id, user_id=scene.mallory.user_id)
    answer = await scene.send(key=key, acting_as=scene.mallory.user_id)
    assert (answer.status, answer.slug) == (404, "room_not_found")


@pytest.mark.parametrize("function", ["create_bot", "retire_bot", "post_system_message"])
async def test_functions_for_servers_are_for_nobody_else(scene: Scene, function: str) -> None:
    arguments = {
        "create_bot": {"display_name": "Bot"},
        "retire_bot": {"user_id": NOWHERE},
        "post_system_message": {"room_id": scene.room_id, "body": "order_shipped"},
    }[function]
    for options in ({}, {"token": scene.ann.token}):
        answer = await scene.door.call(function, arguments, **options)
        assert answer.body["code"] == "42501", answer.body
    answer = await scene.door.call(function, arguments, key=scene.stack.secret_key)
    assert answer.status == (404 if function == "retire_bot" else 200)
