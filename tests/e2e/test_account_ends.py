"""An account ends in any of the ways a project has, and what it leaves behind is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from supabase import ClientOptions, create_client

from parley.api_sync import SyncChatApi
from parley.client import Chat
from parley.errors import ApiError, SignInRequired
from parley.stack import Status
from tests.e2e.sync_people import bodies, chatting, sign_up
from tests.until import until

PASSWORD = "correct horse battery staple"


class Person:
    """Somebody who has just signed up."""

    def __init__(self, stack: Status, name: str) -> None:
        client = create_client(stack.api_url, stack.publishable_key, ClientOptions(schema="chat"))
        email = f"{name.lower()}-{uuid4().hex[:8]}@parley.example"
        answer = client.auth.sign_up(
            {"email": email, "password": PASSWORD, "options": {"data": {"display_name": name}}}
        )
        assert answer.user is not None
        self.id = UUID(answer.user.id)
        self.api = SyncChatApi(client)

    def refusal(self, call: Callable[[SyncChatApi], object]) -> str:
        """The slug that a call is refused with; empty when it is not."""
        try:
            call(self.api)
        except ApiError as error:
            return error.slug
        return ""


def by_admin_api(stack: Status, user_id: UUID) -> None:
    create_client(stack.api_url, stack.secret_key).auth.admin.delete_user(str(user_id))


def softly_by_admin_api(stack: Status, user_id: UUID) -> None:
    create_client(stack.api_url, stack.secret_key).auth.admin.delete_user(
        str(user_id), should_soft_delete=True
    )


def by_sql(stack: Status, user_id: UUID) -> None:
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute("delete from auth.users where id = %s", [user_id])


def in_dashboard(stack: Status, user_id: UUID) -> None:
    """Studio calls the Auth service with the secret key."""
    answer = httpx.request(
        "DELETE",
        f"{stack.api_url}/auth/v1/admin/users/{user_id}",
        headers={"apikey": stack.secret_key, "Authorization": f"Bearer {stack.secret_key}"},
        json={"should_soft_delete": False},
    )
    assert answer.is_success, answer.text


def one(stack: Status, query: Any, *values: object) -> Any:
    """The first column of the first row."""
    with psycopg.connect(stack.db_url) as connection:
        row = connection.execute(query, values).fetchone()
        return None if row is None else row[0]


def maintain(stack: Status) -> None:
    """Let maintenance do all there is to do."""
    while any(one(stack, "select chat.run_maintenance()").values()):
        pass


@pytest.mark.parametrize("end", [by_admin_api, softly_by_admin_api, by_sql, in_dashboard])
def test_an_account_that_ends_leaves_everything_in_order(
    stack: Status, end: Callable[[Status, UUID], None]
) -> None:
    ann, bob, cat = (Person(stack, name) for name in ("Ann", "Bob", "Cat"))
    shared = ann.api.create_room("shared", member_ids=[bob.id, cat.id])
    alone = ann.api.create_room("alone")
    ann.api.open_direct(bob.id)
    tenant = ann.api.create_tenant("Club")
    server = SyncChatApi(
        create_client(stack.api_url, stack.secret_key, ClientOptions(schema="chat"))
    )
    server.add_tenant_member(tenant.tenant_id, bob.id, role="admin")
    said = ann.api.send_message(shared.id, "what I leave behind", uuid4())
    bob.api.send_message(shared.id, "dear Ann", uuid4(), mentions=[ann.id])
    room_invite = ann.api.create_invite(shared.id)
    tenant_invite = ann.api.create_tenant_invite(tenant.tenant_id)
    assert ann.refusal(lambda api: api.list_rooms()) == ""

    end(stack, ann.id)

    # From that moment on the token does nothing, and nobody vouches for whom it invited to the
    # tenant. An invite into a room is the room's.
    with pytest.raises(SignInRequired):
        ann.api.list_rooms()
    assert ann.refusal(lambda api: api.send_message(shared.id, "x", uuid4())) == "sign_in_required"
    dan = Person(stack, "Dan")
    refused = dan.refusal(lambda api: api.accept_tenant_invite(tenant_invite.token))
    assert refused == "invite_not_found"
    assert dan.api.accept_invite(room_invite.token).room_id == shared.id

    maintain(stack)

    # Offices passed to people who can hold them; what nobody is left to manage is archived.
    members = {each.user_id: each for each in bob.api.list_members(shared.id)}
    assert ann.id not in members
    assert sorted(each.role for each in members.values()) == ["member", "member", "owner"]
    role = "select role from chat.tenant_members where tenant_id = %s and user_id = %s"
    assert one(stack, role, tenant.tenant_id, bob.id) == "owner"
    assert one(stack, "select archived_at is not null from chat.rooms where id = %s", alone.id)
    standing = "select count(*) from chat.room_members where user_id = %s and left_at is null"
    assert one(stack, standing, ann.id) == 0
    places = "select count(*) from chat.tenant_members where user_id = %s and removed_at is null"
    assert one(stack, places, ann.id) == 0

    # What was said stays, under the name it was said with; nobody begins anew with them.
    page = {each.seq: each for each in bob.api.list_messages(shared.id)}
    assert (page[said.seq].body, page[said.seq].sender_id) == ("what I leave behind", ann.id)
    mentions = [each.mentions for each in page.values() if each.body == "dear Ann"]
    assert mentions == [[ann.id]]
    (profile,) = bob.api.list_profiles([ann.id], room_id=shared.id)
    assert (profile.display_name, profile.closed_at is not None) == ("Ann", True)
    assert bob.refusal(lambda api: api.open_direct(ann.id)) == "user_not_found"
    assert bob.refusal(lambda api: api.open_direct(cat.id)) == ""


async def test_copies_of_others_follow_an_erasure_online_and_later(
    stack: Status, tmp_path: Path
) -> None:
    bob = await sign_up(stack, "Bob")
    phone, tablet = tmp_path / "phone.db", tmp_path / "tablet.db"
    ann = await asyncio.to_thread(Person, stack, "Ann")
    async with chatting(stack, bob, phone) as bobs:
        room = (
            await asyncio.to_thread(ann.api.create_room, "walk", member_ids=[UUID(bob.user_id)])
        ).id
        for text in ("I live at 7 Elm Street", "ring twice"):
            said = await asyncio.to_thread(ann.api.send_message, room, text, uuid4())
        await bobs.sync()
        await bobs.send(room, "see you there")
        await bobs.settled()
        await bobs.api.add_reaction(room, said.seq, "👍")
        async with chatting(stack, bob, tablet) as away:
            assert "ring twice" in bodies(away, room)
            await away.close()

        server = SyncChatApi(
            create_client(stack.api_url, stack.secret_key, ClientOptions(schema="chat"))
        )
        begun = await asyncio.to_thread(ann.api.erase_my_account, "erase my account")
        assert begun.finished_at is None
        await asyncio.to_thread(maintain, stack)
        certificate = await asyncio.to_thread(server.erase_user, ann.id)
        assert (certificate.finished_at is None, certificate.held) == (False, 0)
        assert certificate.swept["chat.messages"] == 2
        await asyncio.to_thread(by_admin_api, stack, ann.id)
        assert await asyncio.to_thread(server.erase_user, ann.id) == certificate

        def is_gone(chat: Chat) -> bool:
            profile = chat.profile(ann.id)
            return (
                [each for each in bodies(chat, room) if each] == ["see you there"]
                and profile is not None
                and profile.display_name == "Deleted account"
            )

        await bobs.sync()
        await until(lambda: is_gone(bobs), 30)
        assert bobs.search("Elm") == []
        assert await bobs.verify() == []
        async with chatting(stack, bob, tablet) as back:
            await until(lambda: is_gone(back), 30)
            assert await back.verify() == []
    for file in (phone, tablet):
        assert b"Elm Street" not in file.read_bytes()


def test_the_front_door_tells_how_the_chat_is_doing(stack: Status) -> None:
    answer = httpx.get(f"{stack.api_url}/metrics")
    assert answer.status_code == 200
    assert "\nparley_broadcasts_lost " in answer.text
    assert "\nparley_reports_open " in answer.text
