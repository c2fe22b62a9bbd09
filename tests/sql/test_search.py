"""Searches while others write, compared with a scan; and what the time of a search tells."""

from __future__ import annotations

import json
import math
import threading
import time
from contextlib import suppress
from functools import partial
from random import Random
from statistics import fmean
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from parley.errors import InvalidInput
from parley.sync.asked import read_query
from tests.people import Person, at_once, crowd, people
from tests.sql.races import Owner, open_room, say

WORDS = ["apple", "pear", "plum", "Straße", "東京都", "🎵", "well-known", "x", "Café", "ёлка"]
QUERIES = [
    "apple",
    "app",
    "pear plum",
    '"pear plum"',
    "plum -apple",
    "pear or strasse",
    "京",
    "東京",
    "🎵 x",
    "known",
    "cafe",
    "елк",
    "nowhere",
    '"x apple" or plum -pear',
]
WRITES = 30
LOOKS = 40
Found = list[tuple[str, int]]


def scan(person: Person, query: str, page_size: int) -> Found:
    """Read all messages that somebody may read, and keep those that match, the newest first."""
    asked = read_query(query)
    rows = person.connection.execute(
        "select room_id::text, seq, body from chat.messages"
        " where kind = 'text' and deleted_at is null"
        " order by created_at desc, chat.messages.room_id desc, seq desc"
    ).fetchall()
    found = [(row["room_id"], row["seq"]) for row in rows if asked.matches(row["body"])]
    return found[:page_size]


def searched(person: Person, query: str, page_size: int, pages: int = 1) -> Found:
    """Return what a search finds, over some pages."""
    found: Found = []
    before = None
    for _ in range(pages):
        rows = person.rows("search_messages", query=query, page_size=page_size, before=before)
        if not rows:
            break
        found += [(row["message"]["room_id"], row["message"]["seq"]) for row in rows]
        before = Jsonb(rows[-1]["message"])
    return found


def test_every_answer_while_sixteen_people_write_is_that_of_a_scan(database: str) -> None:
    # A purge takes what it deleted out of replay, so the steps do not join there afterwards.
    with psycopg.connect(database, autocommit=True) as project:
        search_while_others_write(database, project)


def search_while_others_write(database: str, owner: Owner) -> None:
    """Compare every answer with a scan, while people write and a server purges."""
    owner.execute(
        "update chat_private.settings set send_burst = 2000000000, sends_per_second = 2000000000"
    )
    with people(database, *crowd(17)) as (reader, *writers):
        rooms = [open_room(reader, *writers) for _ in range(4)]
        late = writers[0].call("create_room", name="Late", history="since_join")["id"]
        for n in range(40):
            say(writers[0], late, f"apple before {n}")
        writers[0].call("add_member", room_id=late, user_id=reader.id)
        rooms.append(late)
        done = threading.Event()
        left = iter(range(len(writers), 0, -1))

        def body(rng: Random) -> str:
            """Say a few words, or 2 KB of them: large messages end their run."""
            return " ".join(rng.choices(WORDS, k=rng.randrange(1, 5)) * rng.choice([1] * 9 + [100]))

        def write(writer: Person, number: int) -> int:
            rng = Random(number)
            mine: list[tuple[UUID, int]] = []
            for _ in range(WRITES):
                room = rng.choice(rooms if number == 0 else rooms[:4])
                deed = rng.random()
                if mine and deed < 0.15:
                    place = rng.choice(mine)
                    writer.attempt("edit_message", room_id=place[0], seq=place[1], body=body(rng))
                elif mine and deed < 0.25:
                    writer.attempt("delete_message", room_id=mine[-1][0], seq=mine.pop()[1])
                elif deed < 0.35:
                    items = [
                        {"room_id": str(room), "client_id": str(uuid4()), "body": body(rng)}
                        for _ in range(rng.randrange(1, 40))
                    ]
                    writer.rows("send_messages", items=Jsonb(items))
                else:
                    sent = say(writer, room, body(rng))
                    if sent.done:
                        mine.append((room, sent.row["seq"]))
            if next(left) == 1:
                done.set()
            return WRITES

        def purge() -> int:
            rng = Random(99)
            purges = 0
            while not done.wait(0.4):
                room = rng.choice(rooms[1:])
                purges += 1
                owner.execute(
                    "select chat_private.purge_messages(r.id, greatest(r.floor_seq,"
                    " r.last_seq - %s)) from chat.rooms as r where r.id = %s",
                    [rng.randrange(40, 700), room],
                )
            return purges

        def look() -> int:
            rng = Random(7)
            looks = 0
            while not done.is_set() or looks < LOOKS:
                query = rng.choice(QUERIES)
                size = rng.choice([1, 20, 200])
                with reader.connection.transaction():
                    reader.connection.execute("set transaction isolation level repeatable read")
                    found = searched(reader, query, size, 2)
                    expected = scan(reader, query, size * 2)
                assert found == expected, (query, size)
                looks += 1
            return looks

        *_, purges, looks = at_once(
            *(partial(write, writer, n) for n, writer in enumerate(writers)), purge, look
        )
        assert purges > 0 and looks >= LOOKS
        blocks = owner.execute("select count(*) from chat_private.search_blocks")
        assert (blocks.fetchone() or (0, 0))[0] > 4


def test_a_page_leaves_out_nothing_of_a_room_that_is_found_late(
    database: str, owner: Owner
) -> None:
    """Rooms are searched by activity: what is old in one is newer than what is new in another."""
    owner.execute(
        "update chat_private.settings set send_burst = 2000000000, sends_per_second = 2000000000"
    )
    rng = Random(1)
    with people(database, "Ann", "Bob") as (ann, bob):
        rooms = [open_room(ann, bob) for _ in range(40)]
        for n in range(60):
            for room in rng.sample(rooms, 12):
                items = [
                    {"room_id": str(room), "client_id": str(uuid4()), "body": f"{word} {n}"}
                    for word in rng.choices(WORDS, k=rng.randrange(1, 30))
                ]
                bob.rows("send_messages", items=Jsonb(items))
        for query in QUERIES:
            assert searched(ann, query, 20, 8) == scan(ann, query, 160), query


def milliseconds(person: Person, query: str) -> float:
    begun = time.perf_counter()
    person.rows("search_messages", query=query)
    return (time.perf_counter() - begun) * 1000


def difference(person: Person, one: str, other: str, runs: int = 200) -> float:
    """Return how far apart the times of two searches are: the z of their ranks."""
    times: list[tuple[float, int]] = []
    for run in range(runs):
        pair = ((one, 0), (other, 1)) if run % 2 else ((other, 1), (one, 0))
        times += [(milliseconds(person, query), which) for query, which in pair]
    ranks = [rank for rank, (_, which) in enumerate(sorted(times), 1) if which == 0]
    count = len(ranks)
    sigma: float = math.sqrt((2 * count + 1) / 12)
    return (fmean(ranks) - (2 * count + 1) / 2) / sigma


def test_the_time_of_a_search_does_not_tell_what_strangers_say(database: str, owner: Owner) -> None:
    owner.execute(
        "update chat_private.settings set send_burst = 2000000000, sends_per_second = 2000000000"
    )
    with people(database, "Ann", "Bob") as (ann, bob):
        mine = [open_room(ann) for _ in range(40)]
        theirs = [open_room(bob) for _ in range(20)]
        for person, rooms, word in ((ann, mine, "ownword"), (bob, theirs, "foreign")):
            for room in rooms:
                items = [
                    {"room_id": str(room), "client_id": str(uuid4()), "body": f"{word} hello {n}"}
                    for n in range(200)
                ]
                person.rows("send_messages", items=json.dumps(items))
        with suppress(psycopg.Error, InvalidInput):
            for query in ("foreign", "absent1", "ownword"):
                milliseconds(ann, query)
        assert searched(bob, "foreign", 1) and not searched(ann, "foreign", 1)
        assert abs(difference(ann, "foreign", "absent1")) < 4.5
        # The control: what one's own rooms hold can be told apart from what they do not.
        assert abs(difference(ann, "ownword", "absent1")) > 4.5
