"""What a snapshot did not show: profiles that changed reach everybody who knows them, once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.people import Person, crowd, people
from tests.sql.races import Owner
from tests.until import until_blocking

SMALL = 1024
"""As few bytes as an answer may be bounded by."""


class Copy:
    """The profiles on somebody's device."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.seen: str | None = None
        self.names: dict[str, str] = {}
        self.most_pulled = 0
        self.pull()

    def pull(self) -> list[str]:
        """Pull until there is no more, and return the names that came."""
        came: list[str] = []
        more = True
        while more:
            answer = self.person.call("pull_changes", cursor=Jsonb({"seen": self.seen}))[
                "pull_changes"
            ]
            self.seen, more = answer["seen"], answer["more"]
            for row in answer["profiles"]:
                self.names[row["user_id"]] = row["display_name"]
            came += [row["display_name"] for row in answer["profiles"]]
            self.most_pulled = max(self.most_pulled, len(answer["profiles"]))
        return sorted(came)


def rename(person: Person, name: str) -> None:
    person.call("update_profile", display_name=name)


def test_a_changed_name_comes_with_the_next_pull_and_once(database: str) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        copy = Copy(ann)
        assert copy.pull() == []
        rename(bob, "Robert")
        assert copy.pull() == ["Robert"]
        assert copy.pull() == []


def test_ones_own_name_reaches_ones_other_devices(database: str) -> None:
    with people(database, "Ann") as (ann,):
        other = Copy(ann)
        rename(ann, "Anna")
        assert other.pull() == ["Anna"]


def test_a_copy_that_has_nothing_gets_the_snapshot_only(database: str) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        rename(bob, "Robert")
        answer = ann.call("pull_changes", cursor=Jsonb({}))["pull_changes"]
        assert answer["profiles"] == []
        assert answer["seen"] is not None


def club_of(owner: Owner, founder: Person, *members: Person) -> UUID:
    """Make a tenant, which is the only one of its members from then on."""
    club: UUID = founder.call("create_tenant", name="Club")["tenant_id"]
    for each in members:
        owner.execute("delete from chat.tenant_members where user_id = %s", [each.id])
        owner.execute("select chat.add_tenant_member(%s, %s)", [club, each.id])
    return club


def test_people_of_another_tenant_are_not_told(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob", "Dan") as (ann, bob, dan):
        club_of(owner, ann, bob)
        anns, dans = Copy(ann), Copy(dan)
        rename(bob, "Robert")
        assert anns.pull() == ["Robert"]
        assert dans.pull() == []


def test_what_commits_late_comes_late_and_is_not_missed(database: str) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):
        copy = Copy(ann)
        with bob.holding():
            rename(bob, "Robert")
            rename(cat, "Catherine")
            assert copy.pull() == ["Catherine"]
        assert copy.pull() == ["Robert"]


def test_somebody_who_left_the_tenant_is_shown_by_name_only(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        club = club_of(owner, ann, bob)
        bob.call("update_profile", label="guide")
        copy = Copy(ann)
        bob.call("update_profile", label="pilot")
        answer = ann.call("pull_changes", cursor=Jsonb({"seen": copy.seen}))["pull_changes"]
        assert [row["label"] for row in answer["profiles"]] == ["pilot"]
        bob.call("remove_tenant_member", tenant_id=club, user_id=bob.id)
        answer = ann.call("pull_changes", cursor=Jsonb({"seen": answer["seen"]}))["pull_changes"]
        assert [(row["display_name"], row["label"]) for row in answer["profiles"]] == [
            ("Bob", None)
        ]


def test_somebody_who_comes_into_the_tenant_is_told_of(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        club = ann.call("create_tenant", name="Club")["tenant_id"]
        copy = Copy(ann)
        owner.execute("select chat.add_tenant_member(%s, %s)", [club, bob.id])
        assert copy.pull() == ["Bob"]


def test_a_great_many_changes_come_in_parts_that_fit(database: str, owner: Owner) -> None:
    with people(database, *crowd(40)) as everybody:
        ann, *others = everybody
        copy = Copy(ann)
        owner.execute("update chat_private.settings set pull_bytes = %s", [SMALL])
        for each in others:
            rename(each, f"{each.name} renamed")
        with others[3].holding():
            rename(others[3], "late")
            assert len(copy.pull()) >= len(others)
        assert copy.pull() == ["late"]
        assert 1 <= copy.most_pulled < len(others) / 2


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_missed_whatever_the_order_of_commits(
    database: str, owner: Owner, seed: int
) -> None:
    dice = random.Random(seed)
    if seed % 2:
        owner.execute("update chat_private.settings set pull_bytes = %s", [SMALL])
    names: dict[str, str] = {}
    unfinished: dict[Person, tuple[str, AbstractContextManager[Person]]] = {}

    def finish(writer: Person) -> None:
        name, transaction = unfinished.pop(writer)
        transaction.__exit__(None, None, None)
        names[str(writer.id)] = name

    with people(database, *crowd(8)) as (ann, *writers):
        copy = Copy(ann)
        copy.names.clear()
        for number in range(150):
            writer = dice.choice(writers)
            if writer in unfinished:
                finish(writer)
            else:
                transaction = writer.holding()
                transaction.__enter__()
                unfinished[writer] = (f"{writer.name} {number}", transaction)
                rename(writer, unfinished[writer][0])
            if dice.random() < 0.3:
                copy.pull()
                assert copy.names == names
        for writer in list(unfinished):
            finish(writer)
        copy.pull()
        assert copy.names == names


@pytest.mark.parametrize("seen", ["x", "1:", "5:3:", "1:9:12", 7, {}, "1:3:2,x"])
def test_what_is_no_snapshot_is_refused(database: str, seen: object) -> None:
    with people(database, "Ann") as (ann,):
        assert ann.attempt("pull_changes", cursor=Jsonb({"seen": "10:20:12"})).done
        assert ann.attempt("pull_changes", cursor=Jsonb({"seen": seen})).slug == "invalid_input"


def test_an_account_can_end_while_it_comes_into_a_tenant(database: str, owner: Owner) -> None:
    with (
        people(database, "Ann", "Bob") as (ann, bob),
        psycopg.connect(database, autocommit=True) as auth,
        ThreadPoolExecutor(1) as thread,
    ):
        tenant = ann.call("create_tenant", name="Club")["tenant_id"]
        invite = ann.call("create_tenant_invite", tenant_id=tenant)
        waits = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        with bob.holding():
            bob.call("accept_tenant_invite", token=invite["token"])
            ending = thread.submit(auth.execute, "delete from auth.users where id = %s", [bob.id])
            until_blocking(lambda: owner.execute(waits, [auth.info.backend_pid]).rowcount)
        assert ending.result(timeout=30).rowcount == 1
        assert ann.rows("list_profiles", user_ids=[bob.id])[0]["closed_at"] is not None
