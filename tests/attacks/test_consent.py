"""I13: nobody outside my tenants learns that I exist, reads my profile or puts me anywhere.

Mallory has a tenant of her own and is in the default one, like Ann. Vic lives in another tenant and
has accepted nothing. Each claim has its control: the same for people who may.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.people import Outcome, Person, people

Owner = psycopg.Connection[Any]


class Cast:
    """Mallory and her tenant, Vic elsewhere, and Ann, who has accepted an invite of Mallory's."""

    def __init__(self, owner: Owner, mallory: Person, vic: Person, ann: Person) -> None:
        self.owner, self.mallory, self.vic, self.ann = owner, mallory, vic, ann
        owner.execute("select tests.move_to_another_tenant('Vic')")
        owner.execute(
            "update chat.profiles set avatar_path = 'a.png', label = 'patient'"
            " where user_id in (%s, %s)",
            [vic.id, ann.id],
        )
        self.evil: UUID = mallory.call("create_tenant", name="Evil")["tenant_id"]
        token = mallory.call("create_tenant_invite", tenant_id=self.evil)["token"]
        ann.call("accept_tenant_invite", token=token)

    def profiles(self, person: Person, who: UUID) -> list[dict[str, Any]]:
        """What somebody reads of a profile, by table and by function."""
        table = person.connection.execute(
            "select * from chat.profiles where user_id = %s", [who]
        ).fetchall()
        return table + person.rows("list_profiles", user_ids=[who])


@pytest.fixture
def cast(database: str) -> Iterator[Cast]:
    with (
        psycopg.connect(database, autocommit=True) as owner,
        people(database, "Mallory", "Vic", "Ann") as (mallory, vic, ann),
    ):
        yield Cast(owner, mallory, vic, ann)


@contextmanager
def service(database: str) -> Iterator[Owner]:
    """A back end with the secret key."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "select set_config('role', 'service_role', false),"
            " set_config('request.jwt.claims', %s, false)",
            [json.dumps({"role": "service_role"})],
        )
        yield connection


def same(cast: Cast, function: LiteralString, **arguments: Any) -> Outcome:
    """Call a function about Vic and about nobody; assert that it answers alike, and return that."""

    def about(who: UUID) -> Outcome:
        return cast.mallory.attempt(
            function,
            **{name: value(who) if callable(value) else value for name, value in arguments.items()},
        )

    vic, nobody = about(cast.vic.id), about(uuid4())
    assert vic.slug == nobody.slug, function
    assert len(vic.row) == len(nobody.row), function
    return vic


def test_mallory_puts_nobody_into_her_tenant(cast: Cast, database: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        cast.mallory.call("add_tenant_member", tenant_id=cast.evil, user_id=cast.vic.id)
    assert (
        same(
            cast,
            "set_tenant_member_role",
            tenant_id=cast.evil,
            user_id=lambda who: who,
            role="member",
        ).slug
        == "user_not_found"
    )
    places = "select from chat.tenant_members where tenant_id = %s and user_id = %s"
    assert cast.owner.execute(places, [cast.evil, cast.vic.id]).rowcount == 0
    assert cast.owner.execute(places, [cast.evil, cast.ann.id]).rowcount == 1
    with service(database) as server:
        server.execute("select chat.add_tenant_member(%s, %s)", [cast.evil, cast.vic.id])
    assert cast.owner.execute(places, [cast.evil, cast.vic.id]).rowcount == 1


def test_an_invite_alone_shows_mallory_nothing(cast: Cast) -> None:
    token = cast.mallory.call("create_tenant_invite", tenant_id=cast.evil)["token"]
    assert cast.profiles(cast.mallory, cast.vic.id) == []
    assert (
        cast.vic.connection.execute(
            "select from chat.tenants where tenant_id = %s", [cast.evil]
        ).rowcount
        == 0
    )
    cast.vic.call("accept_tenant_invite", token=token)
    assert len(cast.profiles(cast.mallory, cast.vic.id)) == 2


def test_mallory_sees_no_profile_from_elsewhere(cast: Cast) -> None:
    assert cast.profiles(cast.mallory, cast.vic.id) == []
    assert len(cast.profiles(cast.mallory, cast.ann.id)) == 2
    assert cast.profiles(cast.vic, cast.mallory.id) == []


def test_whoever_leaves_is_not_watched_any_longer(cast: Cast) -> None:
    token = cast.mallory.call("create_tenant_invite", tenant_id=cast.evil)["token"]
    cast.vic.call("accept_tenant_invite", token=token)
    assert len(cast.profiles(cast.mallory, cast.vic.id)) == 2
    cast.vic.call("remove_tenant_member", tenant_id=cast.evil, user_id=cast.vic.id)
    cast.vic.call("update_profile", display_name="Vic under another name")
    assert cast.profiles(cast.mallory, cast.vic.id) == []
    found = cast.mallory.connection.execute(
        "select user_id from chat.tenant_members where tenant_id = %s", [cast.evil]
    ).fetchall()
    assert {row["user_id"] for row in found} == {cast.mallory.id, cast.ann.id}


def test_a_row_that_names_a_former_member_shows_a_name_and_nothing_else(cast: Cast) -> None:
    token = cast.mallory.call("create_tenant_invite", tenant_id=cast.evil)["token"]
    cast.vic.call("accept_tenant_invite", token=token)
    room = cast.mallory.call(
        "create_room", name="Trap", tenant_id=cast.evil, member_ids=[cast.vic.id, cast.ann.id]
    )["id"]
    direct = cast.mallory.call("open_direct", user_id=cast.vic.id, tenant_id=cast.evil)["id"]
    for place in (room, direct):
        cast.vic.call("send_message", room_id=place, body="x", client_id=uuid4())

    def shown(who: UUID) -> list[dict[str, Any]]:
        """The profile of somebody, wherever an answer brings it."""
        cursor = {"rooms": {str(room): None, str(direct): None}}
        pulled = cast.mallory.call("pull_changes", cursor=Jsonb(cursor))["pull_changes"]
        inbox = [row["other"] for row in cast.mallory.rows("list_rooms") if row["other"]]
        listed = cast.mallory.rows("list_profiles", user_ids=[who], room_id=room)
        return [
            row for row in (*pulled["profiles"], *inbox, *listed) if str(row["user_id"]) == str(who)
        ]

    assert [row["label"] for row in shown(cast.vic.id)] == ["patient"] * 3
    cast.vic.call("remove_tenant_member", tenant_id=cast.evil, user_id=cast.vic.id)
    rows = shown(cast.vic.id)
    assert len(rows) == 3
    for row in rows:
        told = {name for name, value in row.items() if value is not None}
        assert told == {"user_id", "display_name", "is_bot"}
    assert {row["label"] for row in shown(cast.ann.id)} == {"patient"}


def test_mallory_finds_out_by_no_call_whether_somebody_exists(cast: Cast) -> None:
    room = cast.mallory.call("create_room", name="x", tenant_id=cast.evil)["id"]
    in_room = {"room_id": room, "user_id": lambda who: who}
    in_tenant = {"tenant_id": cast.evil, "user_id": lambda who: who}
    calls: dict[LiteralString, dict[str, Any]] = {
        "add_member": in_room,
        "remove_member": in_room,
        "mute_member": in_room,
        "ban_member": in_room,
        "unban_member": in_room,
        "set_member_role": {**in_room, "role": "admin"},
        "open_direct": {"user_id": lambda who: who},
        "create_room": {"name": "x", "member_ids": lambda who: [who]},
        "list_profiles": {"user_ids": lambda who: [who], "room_id": room},
        "remove_tenant_member": in_tenant,
        "unban_tenant_member": in_tenant,
        "ban_tenant_member": in_tenant,
        "set_tenant_member_role": {**in_tenant, "role": "admin"},
        "send_message": {
            "room_id": room,
            "body": "x",
            "client_id": lambda who: uuid4(),
            "mentions": lambda who: [who],
        },
    }
    answers = {
        function: same(cast, function, **arguments).slug for function, arguments in calls.items()
    }
    assert answers == dict.fromkeys(answers, "user_not_found") | {
        "list_profiles": None,
        "ban_tenant_member": None,
        "send_message": None,
    }
    assert cast.mallory.attempt("add_member", room_id=room, user_id=cast.ann.id).done


def test_nothing_is_explained_about_people_elsewhere(cast: Cast) -> None:
    room = cast.mallory.call(
        "create_room", name="x", tenant_id=cast.evil, member_ids=[cast.ann.id]
    )["id"]
    epoch = cast.owner.execute(
        "select epoch from chat_private.user_streams where user_id = %s", [cast.vic.id]
    ).fetchone()
    assert epoch is not None
    for topic in ("user:{}:" + str(epoch[0]), "user:{}:999"):
        answer = same(cast, "explain_access", topic=topic.format, user_id=lambda who: who)
        assert answer.slug == "not_allowed"
    for topic in (f"live:{room}:1", f"tenant:{cast.evil}:dashboard"):
        reasons = [
            cast.mallory.call("explain_access", topic=topic, user_id=who)["reason"]
            for who in (cast.vic.id, uuid4(), cast.ann.id)
        ]
        assert reasons[0] == reasons[1] != reasons[2] == "allowed"
    hidden = f"tenant:{UUID(int=1)}:dashboard"
    assert same(cast, "explain_access", topic=hidden, user_id=lambda who: who).slug == "not_allowed"


def test_mallory_puts_nobody_into_a_room(cast: Cast) -> None:
    spam = {"name": "Spam", "tenant_id": cast.evil, "member_ids": [cast.vic.id]}
    assert cast.mallory.attempt("create_room", **spam).slug == "user_not_found"
    assert cast.mallory.attempt("open_direct", user_id=cast.vic.id).slug == "user_not_found"
    assert cast.vic.rows("list_rooms") == []
    assert cast.vic.rows("list_notifications") == []
    assert cast.mallory.attempt("open_direct", user_id=cast.ann.id, tenant_id=cast.evil).done
    assert len(cast.ann.rows("list_rooms")) == 1


def test_nobodys_room_falls_into_a_tenant_because_it_came_first(cast: Cast) -> None:
    token = cast.mallory.call("create_tenant_invite", tenant_id=cast.evil)["token"]
    cast.owner.execute(
        "update chat.tenant_members set joined_at = now() + interval '1 day' where user_id = %s",
        [cast.vic.id],
    )
    cast.vic.call("accept_tenant_invite", token=token)
    payroll = {"name": "Payroll", "is_public": True}
    assert cast.vic.attempt("create_room", **payroll).slug == "tenant_required"
    assert cast.mallory.connection.execute("select from chat.rooms").rowcount == 0
    assert cast.vic.attempt("create_room", **payroll, tenant_id=cast.evil).done
    assert cast.mallory.connection.execute("select from chat.rooms").rowcount == 1


def test_a_tenant_of_others_shows_neither_invites_nor_bans(cast: Cast) -> None:
    cast.mallory.call("ban_tenant_member", tenant_id=cast.evil, user_id=cast.vic.id)
    cast.mallory.call("create_tenant_invite", tenant_id=cast.evil)
    for table in ("tenant_invites", "tenant_bans"):
        query = f"select from chat.{table}"
        assert cast.vic.connection.execute(query).rowcount == 0
        assert cast.ann.connection.execute(query).rowcount == 0
        assert cast.mallory.connection.execute(query).rowcount > 0
