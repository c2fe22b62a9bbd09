"""Several workers that claim pushes at once, and an announcement to ten thousand people."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
from bench.costs import watched_memory
from psycopg.rows import DictRow, dict_row

from tests.until import until_blocking

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


WAITING = "select from pg_stat_activity as a where %s = any (pg_blocking_pids(a.pid))"
DUE = "select from chat_private.push_deliveries where wanted_seq > sent_seq"


def count(connection: psycopg.Connection, query: LiteralString, *values: object) -> int:
    """Count the rows of a query."""
    return len(connection.execute(query, values).fetchall())


def act_as(connection: psycopg.Connection, number: int) -> None:
    """Call as one of the crowd."""
    connection.execute(
        "select set_config('request.jwt.claims', json_build_object("
        "'sub', md5('crowd ' || %s)::uuid, 'role', 'authenticated')::text, false)",
        (str(number),),
    )


def open_rooms(connection: psycopg.Connection) -> list[UUID]:
    """Let the first of the crowd write to each of ROOMS others, who have a phone; by their ids."""
    connection.execute((PEOPLE % (ROOMS + 1, ROOMS + 1)).encode())
    act_as(connection, 1)
    return [
        connection.execute("select (chat.open_direct(%s)).id", (user_id,)).fetchall()[0][0]
        for (user_id,) in connection.execute("select d.user_id from chat.devices as d order by 1")
    ]


def complete(connection: psycopg.Connection[DictRow], claimed: list[DictRow]) -> None:
    """Say that all of these were sent."""
    names = ("user_id", "room_id", "token_id", "device_id", "seq", "kind")
    results = [{name: each[name] for name in names} | {"outcome": "sent"} for each in claimed]
    connection.execute("select chat.complete_pushes(%s)", (json.dumps(results, default=str),))


def claim_all(database: str, stop: threading.Event) -> list[tuple[UUID, str, int]]:
    """Claim and complete until told to stop and nothing is left."""
    pushes = []
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        while True:
            is_last = stop.is_set()
            claimed = connection.execute("select * from chat.claim_pushes(20)").fetchall()
            pushes += [(each["room_id"], each["device_id"], each["seq"]) for each in claimed]
            complete(connection, claimed)
            if is_last and not claimed:
                return pushes


def send_to_all(database: str, rooms: list[UUID]) -> None:
    """Send five messages to each room, in an order of its own."""
    with psycopg.connect(database, autocommit=True) as connection:
        act_as(connection, 1)
        for room in random.sample(rooms, len(rooms)) * 5:
            connection.execute("select chat.send_message(%s, 'x', %s)", (room, uuid4()))


def test_five_workers_push_nothing_twice_and_everything_once(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection, ThreadPoolExecutor() as threads:
        rooms = open_rooms(connection)
        stop = threading.Event()
        workers = [threads.submit(claim_all, database, stop) for _ in range(5)]
        senders = [threads.submit(send_to_all, database, rooms) for _ in range(3)]
        wait(senders)
        stop.set()
        pushes = [push for worker in workers for push in worker.result()]
        assert max(Counter(pushes).values()) == 1
        told = Counter[UUID]()
        for room_id, _, seq in pushes:
            told[room_id] = max(seq, told[room_id])
        assert told == dict.fromkeys(rooms, 15)
        assert count(connection, DUE) == 0


def test_a_worker_that_spreads_waits_for_one_that_completes_and_never_the_other_way(
    database: str,
) -> None:
    with (
        psycopg.connect(database, autocommit=True) as connection,
        psycopg.connect(database, row_factory=dict_row) as completing,
        ThreadPoolExecutor() as threads,
    ):
        first, *_, last = open_rooms(connection)
        for room in (first, last):
            connection.execute("select chat.send_message(%s, 'x', %s)", (room, uuid4()))
        claimed = completing.execute(
            "select * from chat.claim_pushes() order by user_id"
        ).fetchall()
        completing.commit()
        # A whole portion of the outbox is about the last person, and the first one comes after it.
        connection.execute(
            "insert into chat_private.push_outbox (created_at, room_id, seq)"
            " select now() + n * interval '1 us', %s, 1 from generate_series(1, 200) as n"
            " union all select now() + interval '1 s', %s, 1",
            (last, first),
        )
        complete(completing, claimed[:1])
        spreading = threads.submit(claim_once, database)
        until_blocking(lambda: count(connection, WAITING, completing.info.backend_pid))
        complete(completing, claimed[1:])
        completing.commit()
        assert spreading.result() == 0
        assert count(connection, "select from chat_private.push_outbox") == 0


def test_a_device_that_is_forgotten_right_now_holds_up_no_push(database: str) -> None:
    with (
        psycopg.connect(database, autocommit=True) as connection,
        psycopg.connect(database) as forgetting,
    ):
        for room in open_rooms(connection):
            connection.execute("select chat.send_message(%s, 'x', %s)", (room, uuid4()))
        act_as(forgetting, 2)
        forgetting.execute("select chat.unregister_device('phone')")
        assert claim_once(database) == ROOMS - 1
        forgetting.commit()
        assert claim_once(database) == 0
        assert count(connection, "select from chat_private.push_deliveries") == ROOMS - 1


def claim_once(database: str) -> int:
    """Claim, and return how many pushes came. Raises LockNotAvailable where it waits for long."""
    with psycopg.connect(database, autocommit=True, options="-c lock_timeout=10s") as connection:
        return len(connection.execute("select * from chat.claim_pushes()").fetchall())


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
            worker.execute("select chat.claim_pushes(500)")
        with watched_memory(worker.info.backend_pid) as held_mb:
            yield worker, held_mb
