"""Several workers that claim pushes at once, and an announcement to ten thousand people."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg
from bench.costs import watched_memory
from psycopg.rows import dict_row

ROOMS = 40
CROWD = 10_000
PEOPLE = """
insert into auth.users (id, email, raw_user_meta_data)
select md5('crowd ' || n)::uuid, n || '@crowd.example', '{"display_name": "One of many"}'
from generate_series(1, %s) as n;
insert into chat.devices (user_id, device_id, platform, push_provider, is_active, last_seen_at)
select md5('crowd ' || n)::uuid, 'phone', 'ios', 'expo', true, now()
from generate_series(2, %s) as n;
insert into chat_private.push_tokens (user_id, device_id, token, token_hash)
select d.user_id, d.device_id, d.user_id, sha256(d.user_id::text::bytea) from chat.devices as d;
update chat_private.settings set send_burst = 1000000000, sends_per_second = 1000000;
"""


def act_as(connection: psycopg.Connection, number: int) -> None:
    """Call as one of the crowd."""
    connection.execute(
        "select set_config('request.jwt.claims', json_build_object("
        "'sub', md5('crowd ' || %s)::uuid, 'role', 'authenticated')::text, false)",
        (str(number),),
    )


def claim_all(database: str, pushes: list[tuple[str, str, int]], stop: threading.Event) -> None:
    """Claim and complete until told to stop and nothing is left."""
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        while True:
            is_last = stop.is_set()
            claimed = connection.execute("select * from chat.claim_pushes(20)").fetchall()
            pushes.extend(
                (str(each["room_id"]), each["device_id"], each["seq"]) for each in claimed
            )
            results = [
                {
                    **{name: str(each[name]) for name in ("user_id", "room_id", "token_id")},
                    "device_id": each["device_id"],
                    "seq": each["seq"],
                    "kind": each["kind"],
                    "outcome": "sent",
                }
                for each in claimed
            ]
            connection.execute("select chat.complete_pushes(%s)", (json.dumps(results),))
            if is_last and not claimed:
                return


def test_three_workers_push_nothing_twice_and_everything_once(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute((PEOPLE % (ROOMS + 1, ROOMS + 1)).encode())
        act_as(connection, 1)
        rooms = [
            connection.execute(
                "select (chat.open_direct(md5('crowd ' || %s)::uuid)).id", (str(number),)
            ).fetchall()[0][0]
            for number in range(2, ROOMS + 2)
        ]
        pushes: list[tuple[str, str, int]] = []
        stop = threading.Event()
        workers = [
            threading.Thread(target=claim_all, args=(database, pushes, stop)) for _ in range(3)
        ]
        for worker in workers:
            worker.start()
        try:
            for _ in range(5):
                for room in rooms:
                    connection.execute("select chat.send_message(%s, 'x', %s)", (room, uuid4()))
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        assert max(Counter(pushes).values()) == 1
        last: dict[str, int] = dict(
            connection.execute(
                "select id::text, last_seq from chat.rooms where kind = 'direct'"
            ).fetchall()
        )
        told: dict[str, int] = {}
        for room_id, _, seq in pushes:
            told[room_id] = max(seq, told.get(room_id, 0))
        assert told == last
        ((left,),) = connection.execute(
            "select count(*) from chat_private.push_deliveries where wanted_seq > sent_seq"
        ).fetchall()
        assert left == 0


def test_an_announcement_to_ten_thousand_is_one_row_and_claimed_in_bounded_memory(
    database: str, postgresql: psycopg.Connection
) -> None:
    connection = postgresql
    connection.autocommit = True
    connection.execute((PEOPLE % (CROWD, CROWD)).encode())
    act_as(connection, 1)
    ((room,),) = connection.execute("select (chat.create_room('All hands')).id").fetchall()
    connection.execute(
        "insert into chat.room_members (room_id, user_id, joined_rev, rev, user_rev, joined_seq)"
        " select %s, p.user_id, 0, 0, 0, 0 from chat.profiles as p on conflict do nothing",
        (room,),
    )
    connection.execute(
        "update chat.rooms set is_large = true, member_count = %s where id = %s", (CROWD, room)
    )
    connection.execute("delete from chat_private.push_outbox")
    connection.execute("select chat.send_message(%s, 'Hello everybody', %s)", (room, uuid4()))
    outbox = connection.execute("select * from chat_private.push_outbox").fetchall()
    assert len(outbox) == 1
    told: set[UUID] = set()
    with at_work(database) as (worker, held_mb):
        while claimed := worker.execute(
            "select user_id, seq, room_id, token_id from chat.claim_pushes(500)"
        ).fetchall():
            assert len(claimed) <= 500
            assert not told & {each[0] for each in claimed}
            told |= {each[0] for each in claimed}
    assert len(told) == CROWD - 1
    # The control: whoever considered everybody at once would hold several times as much.
    connection.execute(
        "insert into chat_private.push_outbox (created_at, room_id, seq) values (%s, %s, %s)",
        outbox[0][:3],
    )
    with at_work(database) as (worker, held_by_all_mb):
        spread = worker.execute("select chat_private.spread_pushes(1000000)").fetchall()
    assert spread == [(CROWD,)]
    assert held_mb() * 2 < held_by_all_mb(), (held_mb(), held_by_all_mb())


@contextmanager
def at_work(database: str) -> Iterator[tuple[psycopg.Connection, Callable[[], float]]]:
    """Give a connection whose plans are made, and what it holds at most from then on, in MB."""
    with psycopg.connect(database, autocommit=True) as worker:
        with worker.transaction(force_rollback=True):
            worker.execute("select chat.claim_pushes(10)")
        with watched_memory(worker.info.backend_pid) as held_mb:
            yield worker, held_mb
