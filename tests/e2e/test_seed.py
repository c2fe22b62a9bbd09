"""``parley seed`` makes the same data every time, as the functions would have left it."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from parley.errors import SeedRefused
from parley.seeding import Plan, Scale, seed_database
from parley.seeding.plan import KNOWN

ROOT = Path(__file__).parent.parent.parent
UNTIL = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
LARGE = Scale(users=60, rooms=30, messages=3_000, seed=7)
SMALL = Scale(users=10, rooms=5, messages=60, seed=7)

FAULTS = {
    "a room is not gapless": """
        select r.id from chat.rooms as r
        where r.last_seq <> (select count(*) from chat.messages as m where m.room_id = r.id)
          or r.last_seq <> (select coalesce(max(seq), 0) from chat.messages where room_id = r.id)
    """,
    "a number of a room is nobody's": """
        select r.id, n from chat.rooms as r, generate_series(1, r.rev) as n
        where n <> r.changed_rev
          and not exists (select from chat.messages as m where m.room_id = r.id and m.rev = n)
          and not exists (select from chat.receipts as c where c.room_id = r.id and c.rev = n)
    """,
    "a number of a person is above the head": """
        select s.user_id from chat_private.user_streams as s
        where s.rev < greatest(
          (select max(user_rev) from chat.room_members as m where m.user_id = s.user_id),
          (select max(rev) from chat.marks as k where k.user_id = s.user_id)
        )
    """,
    "a number of a person was taken twice": """
        select user_id, n from (
          select user_id, user_rev as n from chat.room_members
          union all select user_id, rev from chat.marks
        ) as taken group by user_id, n having count(*) > 1
    """,
    "a message is older than the one before it": """
        select m.room_id, m.seq from chat.messages as m
        join chat.messages as before on before.room_id = m.room_id and before.seq = m.seq - 1
        where m.created_at < before.created_at
    """,
    "a reply is not in a thread": """
        select m.room_id, m.seq from chat.messages as m
        join chat.messages as r on r.room_id = m.room_id and r.seq = m.reply_to
        where m.thread_root is distinct from coalesce(r.thread_root, r.seq)
    """,
    "a message cannot be found": """
        select m.room_id, m.seq from chat.messages as m
        join chat.rooms as r on r.id = m.room_id
        left join (
          select
            b.room_id, b.block,
            array_agg(distinct p.place + (b.first_seq & 255)) as places
          from
            chat_private.search_blocks as b, unnest(b.vector) as w,
            unnest(w.positions) as p (place)
          group by b.room_id, b.block
        ) as b on b.room_id = m.room_id and b.block = m.seq >> 8
        where m.kind = 'text' and m.seq < ((r.last_seq + 1) & ~31::bigint)
        and ((m.seq & 255) + 1 = any (b.places)) is not true
    """,
    "a sender is not a member": """
        select m.room_id, m.seq from chat.messages as m where not exists (
          select from chat.room_members as p
          where p.room_id = m.room_id and p.user_id = m.sender_id and p.left_at is null
        )
    """,
    "a count of members is wrong": """
        select r.id from chat.rooms as r where r.member_count <> (
          select count(*) from chat.room_members as m where m.room_id = r.id and m.left_at is null
        )
    """,
}


def silent(step: str, done: int, total: int) -> None:
    """Tell nobody."""
    assert 0 <= done <= total, step


def with_the_four(database: str) -> None:
    """Run the seed file."""
    with psycopg.connect(database) as connection:
        connection.execute((ROOT / "supabase" / "seed.sql").read_bytes())


def counts(database: str) -> tuple[Any, ...]:
    """Return how many people, rooms and messages there are."""
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "select (select count(*) from chat.profiles), (select count(*) from chat.rooms),"
            " (select count(*) from chat.messages)"
        ).fetchone()
    assert found is not None
    return found


@pytest.mark.parametrize("scale", [SMALL, LARGE], ids=["through functions", "through COPY"])
async def test_seeded_data_holds_every_invariant(database: str, scale: Scale) -> None:
    with_the_four(database)
    before = counts(database)
    assert seed_database(database, Plan(scale, UNTIL), silent)
    added = tuple(now - then for now, then in zip(counts(database), before, strict=True))
    assert added == (scale.users, scale.rooms, scale.messages)
    with psycopg.connect(database) as connection:
        for fault, query in FAULTS.items():
            assert connection.execute(query.encode()).fetchall() == [], fault


async def test_the_checks_see_a_gap(database: str) -> None:
    """The control: data with a fault in it does not pass."""
    with_the_four(database)
    with psycopg.connect(database) as connection:
        connection.execute("delete from chat.messages where seq = 1")
        broken = [
            fault
            for fault, query in FAULTS.items()
            if connection.execute(query.encode()).fetchall()
        ]
    assert {"a room is not gapless", "a number of a room is nobody's"} <= set(broken)


async def test_seeding_again_changes_nothing(database: str) -> None:
    with_the_four(database)
    assert seed_database(database, Plan(LARGE, UNTIL), silent)
    before = counts(database)
    assert not seed_database(database, Plan(LARGE, UNTIL), silent)
    with_the_four(database)
    assert counts(database) == before


async def test_the_same_seed_is_the_same_data() -> None:
    one, two, other = (Plan(Scale(20, 10, 200, seed), UNTIL) for seed in (1, 1, 2))
    assert one.people == two.people and one.rooms == two.rooms
    assert [list(one.messages(room)) for room in one.rooms] == [
        list(two.messages(room)) for room in two.rooms
    ]
    assert one.people != other.people
    assert sum(room.message_count for room in one.rooms) == 200


async def test_ann_finds_her_rooms_and_their_words(database: str) -> None:
    with_the_four(database)
    plan = Plan(LARGE, UNTIL)
    seed_database(database, plan, silent)
    hers = [room for room in plan.rooms if KNOWN[0] in room.member_ids]
    with psycopg.connect(database) as connection:
        connection.execute(
            "select set_config('request.jwt.claims', %s, true)",
            (json.dumps({"sub": str(KNOWN[0])}),),
        )
        rooms = connection.execute("select room ->> 'id' from chat.list_rooms()").fetchall()
        found = connection.execute("select from chat.search_messages('station')").fetchall()
    assert hers and {str(room.id) for room in hers} <= {each for (each,) in rooms}
    assert found


async def test_a_database_without_the_four_is_refused_whole(database: str) -> None:
    before = counts(database)
    with pytest.raises(SeedRefused):
        seed_database(database, Plan(LARGE, UNTIL), silent)
    assert counts(database) == before


@pytest.mark.parametrize("words", [["-m", "parley.cli", "seed"], [str(ROOT / "scripts/seed.py")]])
async def test_the_command_says_what_it_added(database: str, words: list[str]) -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words, "--db-url", database, *options],
            cwd=ROOT,
            env=os.environ,
            capture_output=True,
            text=True,
            check=True,
        )

    plain = run()
    assert plain.stdout == "" and "password parley-demo" in plain.stderr
    scale = ("--users", "5", "--rooms", "2", "--messages", "10")
    assert json.loads(run(*scale, "--json").stdout)["added"] == {
        "users": 5,
        "rooms": 2,
        "messages": 10,
    }
    assert "there already" in run(*scale).stderr


def test_numbers_without_people_are_a_usage_error(database: str) -> None:
    for words in (("--rooms", "5"), ("--messages", "5"), ("--users", "3", "--until", "tomorrow")):
        done = subprocess.run(
            [sys.executable, "-m", "parley.cli", "seed", "--db-url", database, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, ""), words
    assert counts(database)[0] == 0


def test_the_day_may_be_named_so_that_any_day_makes_the_same(database: str) -> None:
    options = ("--users", "60", "--rooms", "60", "--messages", "2500", "--until", "2026-03-01")
    subprocess.run(
        [sys.executable, "-m", "parley.cli", "seed", "--db-url", database, *options],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    plan = Plan(Scale(60, 60, 2500, 1), dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "select id, created_at from chat.messages where room_id = %s order by seq",
            (plan.rooms[0].id,),
        ).fetchall()
    assert found == [(each.id, each.created_at) for each in plan.messages(plan.rooms[0])]
