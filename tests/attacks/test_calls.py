"""What one member calls again and again, and what ordinary people do all day."""

from __future__ import annotations

import random
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.people import Outcome, Person, crowd, id_of, people

Owner = psycopg.Connection[Any]
BURST = 6000
PER_SECOND = 100


@pytest.fixture
def owner(database: str) -> Iterator[Owner]:
    """A connection past all rights."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def say(person: Person, room: UUID, body: str = "x", **more: object) -> Outcome:
    return person.attempt("send_message", room_id=room, body=body, client_id=uuid4(), **more)


def noise() -> str:
    """Eight thousand characters that do not compress."""
    return "".join(random.choices(string.ascii_letters + string.digits, k=8000))


def repeat_until_refused(call: Callable[[], Outcome], most: int) -> tuple[int, str | None, float]:
    """Call until it is refused. Return how often it went, the slug, and the seconds it took."""
    began = time.monotonic()
    for number in range(most):
        outcome = call()
        if not outcome.done:
            return number, outcome.slug, time.monotonic() - began
    return most, None, time.monotonic() - began


@contextmanager
def counted(owner: Owner, person: Person) -> Iterator[Callable[[], int]]:
    """Give somebody a bucket that is never full nor empty, and a way to ask what they spent."""
    owner.execute("update chat_private.settings set send_burst = 1000000000")
    began = owner.execute(
        "insert into chat_private.rate_buckets (user_id, bucket, full_at)"
        " values (%s, 'send', clock_timestamp() + interval '1 d')"
        " on conflict on constraint rate_buckets_pkey do update set full_at = excluded.full_at"
        " returning full_at",
        [person.id],
    ).fetchone()
    assert began is not None

    def spent() -> int:
        found = owner.execute(
            "select (date_part('epoch', full_at - %s) * %s)::integer"
            " from chat_private.rate_buckets where user_id = %s and bucket = 'send'",
            [began[0], PER_SECOND, person.id],
        ).fetchone()
        assert found is not None
        return int(found[0])

    yield spent
    owner.execute("update chat_private.settings set send_burst = default")
    owner.execute("delete from chat_private.rate_buckets where user_id = %s", [person.id])


def room_of_sixteen(owner: Owner, ann: Person, bob: Person, **options: object) -> UUID:
    names = crowd(14)
    owner.execute("select tests.make_people(variadic %s)", [names])
    others = [id_of(name) for name in names]
    room: UUID = ann.call("create_room", name="Sixteen", member_ids=[bob.id, *others], **options)[
        "id"
    ]
    owner.execute("delete from chat_private.rate_buckets")
    return room


def test_a_readers_reactions_come_to_an_end(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = room_of_sixteen(owner, ann, bob, default_role="reader")
        seq = say(ann, room).row["seq"]
        calls = iter(["add_reaction", "remove_reaction"] * 600)
        times, slug, seconds = repeat_until_refused(
            lambda: bob.attempt(next(calls), room_id=room, seq=seq, emoji="a"), 1200
        )
        assert slug == "slow_down"
        assert times <= (BURST + PER_SECOND * seconds) / 16 + 1
        assert ann.attempt("add_reaction", room_id=room, seq=seq, emoji="b").done


def test_reactions_taken_back_do_not_pile_up(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = ann.call("create_room", name="Two", member_ids=[bob.id])["id"]
        seq = say(ann, room).row["seq"]
        for number in range(200):
            emoji = chr(0x4E00 + number)
            if bob.attempt("add_reaction", room_id=room, seq=seq, emoji=emoji).done:
                bob.call("remove_reaction", room_id=room, seq=seq, emoji=emoji)
        kept = owner.execute("select count(*) from chat.reactions").fetchone()
        assert kept == (50,)
        for emoji in ("\u4e00", "\u4e01"):
            assert bob.attempt("add_reaction", room_id=room, seq=seq, emoji=emoji).done
        assert ann.attempt("add_reaction", room_id=room, seq=seq, emoji="a").done


def test_what_others_took_back_makes_no_reaction_slower(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = ann.call("create_room", name="Two", member_ids=[bob.id])["id"]
        few, many = (say(ann, room).row["seq"] for _ in range(2))
        owner.execute(
            "insert into chat.reactions (room_id, seq, user_id, emoji, removed_at, rev)"
            " select %s, %s, %s, 'a' || substr(md5(g::text), 1, 12), now(), 1"
            " from generate_series(1, 50000) as g",
            [room, many, bob.id],
        )
        owner.execute("analyze chat.reactions")

        def blocks(seq: int) -> int:
            owner.execute("select pg_stat_force_next_flush()")
            read = (
                "select coalesce(sum(idx_blks_hit + idx_blks_read + heap_blks_hit"
                " + heap_blks_read), 0) from pg_statio_user_tables where relname = 'reactions'"
            )
            before = owner.execute(read).fetchone()
            for number in range(10):
                ann.call("add_reaction", room_id=room, seq=seq, emoji=chr(0x4E00 + number))
            ann.connection.execute("select pg_stat_force_next_flush()")
            ann.connection.execute("select 1")
            after = owner.execute(read).fetchone()
            assert before is not None and after is not None
            return int(after[0] - before[0])

        assert blocks(many) < 2 * blocks(few) + 200


def test_edits_cost_what_sends_cost(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = room_of_sixteen(owner, ann, bob)
        seq = say(bob, room).row["seq"]
        times, slug, seconds = repeat_until_refused(
            lambda: bob.attempt("edit_message", room_id=room, seq=seq, body=noise()), 300
        )
        assert slug == "slow_down"
        assert times <= (BURST + PER_SECOND * seconds) / (1 + 16 * 16000 // 4096) + 2
        assert say(bob, room).slug == "slow_down"
        assert say(ann, room).done


def test_long_messages_cost_what_they_bring_to_people(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = room_of_sixteen(owner, ann, bob)
        times, slug, seconds = repeat_until_refused(lambda: say(bob, room, noise()), 300)
        assert slug == "slow_down"
        assert times <= (BURST + PER_SECOND * seconds) / (1 + 16 * 8000 // 4096) + 1
        assert say(ann, room, noise()).done


def test_nobody_is_put_into_thousands_of_rooms(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):
        times, slug, seconds = repeat_until_refused(
            lambda: bob.attempt("create_room", name="Spam", member_ids=[ann.id]), 8000
        )
        assert slug == "slow_down"
        assert times <= (BURST + PER_SECOND * seconds) / 20 + 1
        assert cat.attempt("create_room", name="Wanted", member_ids=[ann.id]).done

        owner.execute("update chat_private.settings set send_burst = 1000000000")
        times, slug, _ = repeat_until_refused(lambda: bob.attempt("create_room", name="Spam"), 1100)
        opened = owner.execute(
            "select count(*) from chat.rooms where created_by = %s", [bob.id]
        ).fetchone()
        assert (slug, opened) == ("payload_too_large", (1000,))
        assert cat.attempt("create_room", name="Mine").done


def test_rooms_full_of_people_cost_each_of_them(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        names = crowd(300)
        owner.execute("select tests.make_people(variadic %s)", [names])
        everybody = [id_of(name) for name in names]
        times, slug, seconds = repeat_until_refused(
            lambda: bob.attempt("create_room", name="Bomb", member_ids=everybody), 20
        )
        told = owner.execute(
            "select count(*) from chat.notifications where actor_id = %s", [bob.id]
        ).fetchone()
        assert (slug, told) == ("slow_down", (300 * times,))
        assert times <= (BURST + PER_SECOND * seconds) / 3010 + 1
        assert ann.attempt("create_room", name="Party", member_ids=everybody).done


def test_whoever_has_spent_everything_is_refused_before_anybody_is_locked(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):
        room = ann.call("create_room", name="Room", member_ids=[bob.id, cat.id])["id"]
        say(bob, room)
        owner.execute(
            "update chat_private.rate_buckets set full_at = clock_timestamp() + interval '1 h'"
            " where user_id = %s",
            [bob.id],
        )
        item = {"room_id": str(room), "client_id": str(uuid4()), "body": "x"}
        batch = Jsonb([item | {"mentions": [str(ann.id)]}])
        for person in (bob, cat):
            person.connection.execute("set lock_timeout = '100ms'")
        with owner.transaction():
            owner.execute(
                "select from chat_private.user_streams where user_id = %s for update", [ann.id]
            )
            opened = bob.attempt("create_room", name="Spam", member_ids=[ann.id])
            assert opened.slug == "slow_down"
            assert bob.call("send_messages", items=batch)["outcome"] == "later"
            with pytest.raises(psycopg.errors.LockNotAvailable):
                cat.attempt("create_room", name="Wanted", member_ids=[ann.id])
            with pytest.raises(psycopg.errors.LockNotAvailable):
                cat.call("send_messages", items=batch)
        assert cat.attempt("create_room", name="Wanted", member_ids=[ann.id]).done
        assert cat.call("send_messages", items=batch)["outcome"] == "sent"


def test_invites_come_to_an_end(database: str, owner: Owner) -> None:
    with people(database, "Ann") as (ann,):
        rooms = [ann.call("create_room", name="Room")["id"] for _ in range(2)]
        times, slug, _ = repeat_until_refused(
            lambda: ann.attempt("create_invite", room_id=rooms[0]), 200
        )
        assert (times, slug) == (100, "payload_too_large")
        assert ann.attempt("create_invite", room_id=rooms[1]).done


def test_a_batch_of_mentions_stops_when_the_bucket_is_empty(database: str, owner: Owner) -> None:
    names = crowd(50)
    with people(database, "Ann") as (ann,):
        owner.execute("select tests.make_people(variadic %s)", [names])
        called = [str(id_of(name)) for name in names]
        room = ann.call("create_room", name="Room", member_ids=called)["id"]
        owner.execute("delete from chat_private.rate_buckets")

        def flush(size: int) -> Counter[str]:
            items = [
                {
                    "room_id": str(room),
                    "client_id": str(uuid4()),
                    "body": "hey",
                    "mentions": called,
                }
                for _ in range(size)
            ]
            outcomes = [row["outcome"] for row in ann.rows("send_messages", items=Jsonb(items))]
            assert outcomes == sorted(outcomes, reverse=True)
            return Counter(outcomes)

        assert flush(20) == {"sent": 20}
        began = time.monotonic()
        outcomes = flush(200)
        assert outcomes["sent"] <= (BURST + PER_SECOND * (time.monotonic() - began)) / 51 + 1
        assert outcomes["later"] == 200 - outcomes["sent"]
        told = owner.execute(
            "select count(*) from chat.notifications where kind = 'mention'"
        ).fetchone()
        assert told == (50 * (20 + outcomes["sent"]),)


def test_slow_mode_is_slow_for_edits_batches_and_other_intervals(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = ann.call("create_room", name="Slow", member_ids=[bob.id])["id"]
        ann.call("update_room", room_id=room, slow_mode_seconds=60)
        seq = say(bob, room).row["seq"]
        items = [{"room_id": str(room), "client_id": str(uuid4()), "body": "z"} for _ in range(3)]
        for interval in (60, 61, 0, 59, 3600):
            ann.call("update_room", room_id=room, slow_mode_seconds=interval)
            if interval:
                edited = bob.attempt("edit_message", room_id=room, seq=seq, body=f"{interval}")
                flushed = bob.rows("send_messages", items=Jsonb(items))
                assert [row["outcome"] for row in flushed] == ["later"] * 3
                assert say(bob, room).slug == edited.slug == "slow_down"
        assert say(ann, room).done
        ann.call("update_room", room_id=room, slow_mode_seconds=0)
        assert bob.attempt("edit_message", room_id=room, seq=seq, body="free").done


def test_a_busy_minute_costs_a_fifth_of_what_comes_back_in_it(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = room_of_sixteen(owner, ann, bob)
        seqs = [say(ann, room, "What do you think of this one?").row["seq"] for _ in range(30)]
        with counted(owner, bob) as spent:
            for number in range(120):
                assert say(bob, room, "Two short messages a second are a lot of typing.").done
                if number % 4 == 0:
                    seq = seqs[number // 4]
                    assert bob.attempt("add_reaction", room_id=room, seq=seq, emoji="a").done
                    assert bob.attempt("mark_read", room_id=room, seq=seq).done
            assert spent() == 120 + 30 * 16 + 30
            assert spent() < 60 * PER_SECOND / 5


def test_a_new_device_marks_each_of_its_rooms_for_one(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob), counted(owner, ann):
        rooms = [
            ann.call("create_room", name="Room", member_ids=[bob.id])["id"] for _ in range(100)
        ]
        assert all(say(ann, room).done for room in rooms)
        with counted(owner, bob) as spent:
            for start in (0, 50):
                cursors = {str(room): 1 for room in rooms[start : start + 50]}
                assert len(bob.rows("mark_delivered", cursors=Jsonb(cursors))) == 50
            assert spent() == 100
