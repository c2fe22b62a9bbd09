"""What a copy finds: the same as the server, newest first, and quickly."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from parley.errors import InvalidInput
from parley.sync.asked import read_query
from parley.sync.database import Database
from parley.sync.kinds import ROOM_KINDS
from parley.sync.room_rows import put_rows
from parley.sync.rows import EPOCH, MICROSECOND, Row
from parley.sync.search import search
from parley.sync.view_models import Message
from parley.sync.words import fold_text
from tests.search_table import FOUND, MISSED
from tests.vectors import read

ROOM, OTHER = "00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000a2"
KIND = ROOM_KINDS["messages"]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty copy."""
    opened = Database(tmp_path / "copy.db")
    yield opened
    opened.close()


def row(room_id: str, seq: int, body: str, second: float = 0, rev: int = 1) -> Row:
    """A message as the server sends it."""
    whole, part = divmod(round(second * 1_000_000), 1_000_000)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return {
        "room_id": room_id,
        "seq": seq,
        "id": str(UUID(int=seq)),
        "sender_id": ROOM,
        "kind": "text",
        "body": body,
        "created_at": f"2026-11-{1 + days:02}T{hours:02}:{minutes:02}:{seconds:02}.{part:06}+00:00",
        "rev": rev,
    }


def put(database: Database, rows: list[Row]) -> None:
    with database.transaction():
        database.execute_many(KIND.upsert, [KIND.values(each) for each in rows])


def found(
    database: Database, words: str, room_id: str | None = None, page_size: int = 20
) -> list[tuple[str, int]]:
    rows = search(database, words, room_id, page_size, None)
    return [(each["room_id"], each["seq"]) for each in rows]


def test_a_copy_finds_what_the_table_says(database: Database) -> None:
    wrong = []
    for number, (table, expected) in enumerate(((FOUND, True), (MISSED, False))):
        for seq, (text, queries) in enumerate(table, 1):
            put(database, [row((ROOM, OTHER)[number], seq, text, seq)])
            for each in queries:
                is_found = ((ROOM, OTHER)[number], seq) in found(database, each, page_size=200)
                if is_found is not expected:
                    wrong.append((text, each))
    assert wrong == []


@pytest.mark.parametrize(("plane", "digest"), read("folding").items())
def test_every_character_of_a_plane_of_unicode_folds_alike(plane: str, digest: str) -> None:
    points = range(int(plane) << 16, (int(plane) + 1) << 16)
    letters = [chr(point) for point in points if point and not 0xD800 <= point < 0xE000]
    folded = fold_text("".join(f"a{letter}b " for letter in letters))
    assert hashlib.sha256(folded.encode()).hexdigest() == digest


def test_a_copy_finds_nothing_in_an_opaque_room_and_keeps_no_words_of_it(
    database: Database,
) -> None:
    for room_id in (ROOM, OTHER):
        room = {"id": room_id, "changed_rev": 1, "is_opaque": room_id == OTHER}
        with database.transaction():
            put_rows(database, {"rooms": [room]})
            put_rows(database, {"messages": [row(room_id, 1, "needle")]})
    assert found(database, "needle") == [(ROOM, 1)]
    kept = database.all("select words <> '', body, row ->> 'body' from messages order by room_id")
    assert [tuple(each) for each in kept] == [(1, "needle", "needle"), (0, "", "needle")]


def test_the_newest_come_first_whenever_they_came(database: Database) -> None:
    rng = Random(3)
    rows = [
        row(room_id, seq, f"needle {seq % 7}", seq // 4 + (room_id == OTHER) * 0.5)
        for room_id in (ROOM, OTHER)
        for seq in range(1, 500)
    ]
    expected = sorted(
        rows, key=lambda each: (each["created_at"], each["room_id"], each["seq"]), reverse=True
    )
    rng.shuffle(rows)
    for at in range(0, len(rows), 50):
        put(database, rows[at : at + 50])
    keys = [(each["room_id"], each["seq"]) for each in expected]
    assert found(database, "needle", page_size=1000) == keys
    sevenths = [key for key in keys if key[1] % 7 == 0]
    assert found(database, "needle 0", page_size=33) == sevenths[:33]
    assert (
        found(database, "needle 0", OTHER, 33) == [key for key in sevenths if key[0] == OTHER][:33]
    )


def test_pages_join_without_gap_or_overlap(database: Database) -> None:
    put(database, [row(ROOM, seq, "needle", seq // 10) for seq in range(1, 101)])
    seqs: list[int] = []
    before: Message | None = None
    while True:
        page = search(database, "needle", None, 7, before)
        if not page:
            break
        seqs += [each["seq"] for each in page]
        last = page[-1]
        before = Message(
            room_id=UUID(last["room_id"]),
            seq=last["seq"],
            sender_id=UUID(ROOM),
            client_id=None,
            body="",
            created_at=EPOCH + last["created_at"] * MICROSECOND,
        )
    assert seqs == list(range(100, 0, -1))


def test_more_messages_of_a_moment_than_it_has_ids_are_all_found(database: Database) -> None:
    put(database, [row(ROOM, seq, "needle") for seq in range(1, 4200)])
    assert len(found(database, "needle", page_size=5000)) == 4199


def test_an_edit_is_found_by_what_it_says_now(database: Database) -> None:
    put(database, [row(ROOM, 1, "before"), row(ROOM, 1, "after", rev=2)])
    assert found(database, "before") == []
    assert found(database, "after") == [(ROOM, 1)]
    with database.transaction():
        database.execute("delete from messages")
    assert found(database, "after") == []


def test_ten_different_words_are_searched_for_and_eleven_are_not() -> None:
    ten = "one two three four five six seven eight nine ten"
    assert read_query(ten + " ten").alternatives
    with pytest.raises(InvalidInput):
        read_query(ten + " eleven")


@pytest.mark.long
def test_a_search_of_a_hundred_thousand_messages_takes_less_than_five_milliseconds(
    database: Database,
) -> None:
    rng = Random(5)
    vocabulary = ["".join(rng.choices("abcdefghij", k=rng.randrange(2, 8))) for _ in range(4000)]
    rooms = [str(UUID(int=number << 96)) for number in range(1, 101)]
    for at in range(0, 100_000, 10_000):
        put(
            database,
            [
                row(
                    rooms[seq % 100],
                    seq,
                    "common " + " ".join(rng.choices(vocabulary, k=7)),
                    seq,
                )
                for seq in range(at + 1, at + 10_001)
            ],
        )
    put(database, [row(rooms[0], 200_000, "東京都に住む rare", 5)])

    def milliseconds(words: str, room_id: str | None = None) -> float:
        times = []
        for _ in range(5):
            begun = time.process_time()
            found(database, words, room_id)
            times.append((time.process_time() - begun) * 1000)
        return min(times)

    # The word of every message as a whole, and as a beginning: that is gathered first.
    queries = ["common ", "absent", "rare", vocabulary[7], "東京", "ab", f"common {vocabulary[9]}"]
    measured = {each: milliseconds(each) for each in queries}
    measured["in a room"] = milliseconds("common ", rooms[7])
    assert max(measured.values()) < 5, measured
    assert milliseconds("co") < 15
