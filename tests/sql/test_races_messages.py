"""What people send, change and mark at the same moment, each on a connection of their own."""

from __future__ import annotations

import random
import threading
import time
from functools import partial
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from parley.stack import Status
from tests.people import Outcome, Person, at_once, crowd, people
from tests.sql.races import ROUNDS, Owner, open_room, repeat, say

LOCK_TIMEOUT = 0.25


def test_sixteen_senders_leave_no_gap_at_any_moment(database: str, owner: Owner) -> None:
    with people(database, *crowd(17)) as (reader, *senders):
        room = open_room(reader, *senders[:15])
        reader.call("add_member", room_id=room, user_id=senders[15].id)
        sending = threading.Event()

        def send_all(sender: Person) -> int:
            try:
                return sum(say(sender, room, f"{sender.name} {n}").done for n in range(25))
            finally:
                sending.set()

        def watch() -> int:
            looks = 0
            with psycopg.connect(database, autocommit=True) as other:
                while not sending.is_set():
                    numbers = other.execute(
                        "select r.last_seq, r.rev, count(m.seq), max(m.seq), max(m.rev)"
                        " from chat.rooms as r join chat.messages as m on m.room_id = r.id"
                        " where r.id = %s group by r.id",
                        [room],
                    ).fetchone()
                    assert numbers is not None
                    assert numbers[0] == numbers[2] == numbers[3], numbers
                    assert numbers[1] == numbers[4], numbers
                    looks += 1
            return looks

        counts = at_once(*(partial(send_all, sender) for sender in senders), watch)
        assert counts[:-1] == [25] * 16
        assert counts[-1] > 0
        for sender in senders:
            bodies = [
                row[0]
                for row in owner.execute(
                    "select body from chat.messages where sender_id = %s and kind = 'text'"
                    " order by seq",
                    [sender.id],
                )
            ]
            assert bodies == [f"{sender.name} {n}" for n in range(25)]


def test_the_same_send_sixteen_times_at_once_is_one_message(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_room(ann, bob)
        devices = [Person(database, "Bob") for _ in range(16)]
        try:
            for number in range(1, ROUNDS + 1):
                client_id = uuid4()
                sent = at_once(
                    *(
                        partial(
                            device.call,
                            "send_message",
                            room_id=room,
                            body="once",
                            client_id=client_id,
                        )
                        for device in devices
                    )
                )
                assert {row["seq"] for row in sent} == {number}
        finally:
            for device in devices:
                device.connection.close()
        head = owner.execute("select last_seq, rev from chat.rooms").fetchone()
        assert head == (ROUNDS, ROUNDS + 1)


@pytest.mark.parametrize("change", ["edit", "delete", "purge"])
def test_retries_beside_a_change_of_the_message_send_nothing_again(
    database: str, change: str
) -> None:
    # (A purge takes steps back, so this does not ask whether steps join, as `owner` does.)
    with (
        psycopg.connect(database, autocommit=True) as operator,
        people(database, "Ann", "Bob") as (ann, bob),
        Person(database, "Bob") as phone,
        Person(database, "Bob") as editor,
    ):
        room = open_room(ann, bob)

        def purge(seq: int) -> Outcome:
            operator.execute("select chat_private.purge_messages(%s, %s)", [room, seq])
            return Outcome({})

        def play() -> str | None:
            message = {"room_id": room, "body": "once", "client_id": uuid4()}
            seq = bob.call("send_message", **message)["seq"]
            changes = {
                "edit": partial(editor.attempt, "edit_message", room_id=room, seq=seq, body="x"),
                "delete": partial(ann.attempt, "delete_message", room_id=room, seq=seq),
                "purge": partial(purge, seq),
            }
            _, first, second = at_once(
                changes[change],
                partial(bob.attempt, "send_message", **message),
                partial(phone.attempt, "send_message", **message),
            )
            for retry in (first, second):
                assert retry.row["seq"] == seq if retry.done else retry.slug == "message_deleted"
            last = operator.execute(
                "select last_seq from chat.rooms where id = %s", [room]
            ).fetchone()
            assert last == (seq,)
            return first.slug

        if change == "purge":
            repeat(play, None, "message_deleted")
        else:
            repeat(play, None)


def test_a_retry_does_not_wait_for_a_busy_room(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_room(ann, bob)
        message = {"room_id": room, "body": "Hello", "client_id": uuid4()}
        sent = bob.call("send_message", **message)
        bob.connection.execute("set lock_timeout = '100ms'")
        with owner.transaction():
            owner.execute("select from chat.rooms where id = %s for update", [room])
            assert bob.call("send_message", **message) == sent
            with pytest.raises(psycopg.errors.LockNotAvailable):
                say(bob, room)
        assert say(bob, room).row["seq"] == sent["seq"] + 1


def test_a_locked_partition_delays_a_send_by_the_lock_timeout(database: str, stack: Status) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with (
        people(database, "Ann", "Bob") as (ann, bob),
        psycopg.connect(stack.admin_db_url, dbname=name) as platform,
    ):
        room = open_room(ann, bob)
        platform.execute("lock table realtime.messages in access exclusive mode")
        began = time.monotonic()
        first = say(ann, room)
        waited = time.monotonic() - began
        platform.rollback()
        second = say(ann, room)
        steps = platform.execute(
            "select distinct (payload ->> 'to')::bigint from realtime.messages"
            " where payload ->> 'room_id' = %s order by 1",
            [str(room)],
        ).fetchall()
    assert (first.row["seq"], second.row["seq"]) == (1, 2)
    assert LOCK_TIMEOUT <= waited < 4 * LOCK_TIMEOUT
    assert steps == [(1,), (3,)]


def test_a_missing_partition_fails_no_write(database: str, stack: Status) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with (
        people(database, "Ann", "Bob") as (ann, bob),
        psycopg.connect(stack.admin_db_url, dbname=name, autocommit=True) as platform,
    ):
        room = open_room(ann, bob)
        for (partition,) in platform.execute(
            "select inhrelid::regclass::text from pg_inherits"
            " where inhparent = 'realtime.messages'::regclass"
        ).fetchall():
            platform.execute(f"drop table {partition}")
        assert say(ann, room).row["seq"] == 1
        assert ann.attempt("remove_member", room_id=room, user_id=bob.id).done
        assert not say(bob, room).done
        platform.execute("select _realtime.keep_partitions()")
        assert say(ann, room).row["seq"] == 3
        found = platform.execute("select count(*) from realtime.messages").fetchone()
        assert found == (1,)


def test_two_imports_with_the_same_strangers_do_not_wait_for_each_other(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann") as (ann,):
        strangers = [str(uuid4()) for _ in range(300)]

        def bring_in(room: UUID, senders: list[str]) -> None:
            items = [
                {
                    "client_id": str(uuid4()),
                    "sender_id": sender,
                    "sender_name": "Stranger",
                    "body": "x",
                    "created_at": f"2020-01-01T00:{place // 60:02}:{place % 60:02}Z",
                }
                for place, sender in enumerate(senders)
            ]
            with psycopg.connect(database, autocommit=True) as service:
                service.execute("select chat_private.import_messages(%s, %s)", [room, Jsonb(items)])

        for _ in range(5):
            rooms = [
                owner.execute(
                    "select (chat_private.open_imported_room(gen_random_uuid(), 'Old', %s)).id",
                    [[ann.id]],
                ).fetchone()
                for _ in range(2)
            ]
            (first,), (second,) = [room for room in rooms if room]
            at_once(partial(bring_in, first, strangers), partial(bring_in, second, strangers[::-1]))
            strangers = [str(uuid4()) for _ in range(300)]


def test_a_room_that_grows_while_people_send_loses_no_step(database: str, owner: Owner) -> None:
    owner.execute("update chat_private.settings set fanout_limit = 6")
    with people(database, "Ann", "Bob", "Cat", *crowd(12)) as (ann, bob, cat, *crew):
        for _ in range(6):
            room = open_room(ann, bob, cat)
            at_once(
                lambda: [ann.call("add_member", room_id=room, user_id=p.id) for p in crew],  # noqa: B023
                lambda: [say(bob, room) for _ in range(25)],  # noqa: B023
                lambda: [say(cat, room) for _ in range(25)],  # noqa: B023
            )
            ways = owner.execute(
                "select (m.payload ->> 'to')::bigint as step,"
                " bool_or(m.topic like 'user:%%'), bool_or(m.topic like 'room:%%')"
                " from realtime.messages as m where m.payload ->> 'room_id' = %s"
                " group by step order by step",
                [str(room)],
            ).fetchall()
            small = [to_users for _, to_users, _ in ways]
            large = [to_room for _, _, to_room in ways]
            turn = large.index(True)
            assert 0 < turn < len(ways) - 1
            assert small == [True] * (turn + 1) + [False] * (len(ways) - turn - 1)
            assert large == [False] * turn + [True] * (len(ways) - turn)


def test_of_an_edit_and_a_delete_at_once_the_delete_stays(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_room(ann, bob)

        def play() -> str:
            seq = say(bob, room, "said").row["seq"]
            edited, deleted = at_once(
                partial(bob.attempt, "edit_message", room_id=room, seq=seq, body="edited"),
                partial(ann.attempt, "delete_message", room_id=room, seq=seq),
            )
            assert deleted.done
            assert edited.slug in {None, "message_deleted"}
            left = owner.execute(
                "select m.body, count(e.rev) from chat.messages as m"
                " left join chat.message_edits as e on e.room_id = m.room_id and e.seq = m.seq"
                " where m.room_id = %s and m.seq = %s group by m.body",
                [room, seq],
            ).fetchone()
            assert left == ("", 0)
            return "edited first" if edited.done else "deleted first"

        repeat(play, "edited first", "deleted first")


def test_of_two_edits_of_the_same_state_one_is_told_of_the_other(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob") as (ann, bob), Person(database, "Bob") as tablet:
        room = open_room(ann, bob)

        def play() -> str:
            message = say(bob, room, "said").row
            edit = partial(
                Person.attempt,
                function="edit_message",
                room_id=room,
                seq=message["seq"],
                expected_rev=message["rev"],
            )
            first, second = at_once(
                lambda: edit(bob, body="by phone"), lambda: edit(tablet, body="by tablet")
            )
            assert {first.slug, second.slug} == {None, "edit_conflict"}
            return "phone" if first.done else "tablet"

        repeat(play, "phone", "tablet")


def test_a_storm_of_reactions_ends_where_each_left_off(database: str, owner: Owner) -> None:
    with people(database, *crowd(8)) as everybody:
        room = open_room(everybody[0], *everybody[1:])
        seq = say(everybody[0], room).row["seq"]

        def storm(person: Person) -> bool:
            dice = random.Random(person.name)
            last = False
            for _ in range(40):
                last = dice.random() < 0.5
                person.call(
                    "add_reaction" if last else "remove_reaction",
                    room_id=room,
                    seq=seq,
                    emoji="👍",
                )
            return last

        ends = at_once(*(partial(storm, person) for person in everybody))
        reacting = {
            row[0]
            for row in owner.execute("select user_id from chat.reactions where removed_at is null")
        }
        assert reacting == {
            person.id for person, stays in zip(everybody, ends, strict=True) if stays
        }


def test_marks_from_many_devices_end_at_the_furthest(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob), Person(database, "Bob") as tablet:
        room = open_room(ann, bob)
        for _ in range(60):
            say(ann, room)

        def mark(device: Person) -> list[int]:
            dice = random.Random(device.pid)
            seen = []
            for _ in range(60):
                seq = dice.randint(0, 90)
                if dice.random() < 0.5:
                    row = device.call("mark_read", room_id=room, seq=seq)
                else:
                    row = device.call("mark_delivered", cursors=Jsonb({str(room): seq}))
                seen.append(row["read_seq"])
            return seen

        for seen in at_once(partial(mark, bob), partial(mark, tablet)):
            assert seen == sorted(seen)
        bob.call("mark_read", room_id=room, seq=10**9)
        ends = owner.execute(
            "select k.read_seq, k.delivered_seq, r.last_seq from chat.marks as k"
            " join chat.rooms as r on r.id = k.room_id where k.user_id = %s",
            [bob.id],
        ).fetchone()
        assert ends == (60, 60, 60)


def test_the_same_batch_twice_at_once_is_sent_once(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob), Person(database, "Bob") as tablet:
        rooms = [open_room(ann, bob) for _ in range(10)]
        for _ in range(10):
            items = Jsonb(
                [
                    {"room_id": str(room), "client_id": str(uuid4()), "body": f"{n}"}
                    for n in range(3)
                    for room in random.sample(rooms, len(rooms))
                ]
            )
            sent = at_once(
                partial(bob.rows, "send_messages", items=items),
                partial(tablet.rows, "send_messages", items=items),
            )
            for pair in zip(*sent, strict=True):
                assert sorted(row["outcome"] for row in pair) == ["duplicate", "sent"]
                assert pair[0]["message"] == pair[1]["message"]
        for room in rooms:
            bodies = owner.execute(
                "select string_agg(body, '' order by seq) from chat.messages where room_id = %s",
                [room],
            ).fetchone()
            assert bodies == ("012" * 10,)


def test_who_call_the_same_people_at_once_do_not_wait_in_a_circle(
    database: str, owner: Owner
) -> None:
    with people(database, *crowd(12)) as everybody:
        callers = everybody[:6]
        rooms = [
            open_room(caller, *(person for person in everybody if person is not caller))
            for caller in callers
        ]

        def call_all(caller: Person, room: UUID) -> None:
            for _ in range(30):
                called = random.sample([person.id for person in everybody], len(everybody))
                caller.call(
                    "send_message", room_id=room, body="x", client_id=uuid4(), mentions=called
                )

        at_once(*(partial(call_all, *pair) for pair in zip(callers, rooms, strict=True)))
        told = owner.execute(
            "select count(*) from chat.notifications where kind = 'mention'"
        ).fetchone()
        assert told == (6 * 30 * 11,)
