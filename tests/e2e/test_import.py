"""``parley import`` takes all of some files or nothing, and the same files once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from parley.errors import ImportRefused
from parley.importing import Imported, import_files
from parley.importing.line import as_uuid
from tests.e2e.test_seed import FAULTS

ROOT = Path(__file__).parent.parent.parent
ANN = "a11ce000-0000-4000-8000-000000000001"

LISBON: list[dict[str, Any]] = [
    {
        "id": "m3",
        "sender": "zoe@old.example",
        "sender_name": "Zoe",
        "sent_at": "2024-05-02T09:00:00Z",
        "body": "Third",
        "reply_to": "m1",
    },
    {"id": "m1", "sender": ANN, "sent_at": "2024-05-01T12:00:00+02:00", "body": r"First \u0000"},
    {
        "id": "m2",
        "sender": "zoe@old.example",
        "sent_at": "2024-05-01T11:00:00Z",
        "body": "",
        "attachments": [{"path": "old/1.jpg"}],
    },
]


def silent(step: str, done: int, total: int) -> None:
    """Tell nobody."""
    assert 0 <= done <= total, step


def jsonl(path: Path, lines: list[dict[str, Any]], room: str = "lisbon") -> Path:
    """Write lines of a room into a file."""
    named = [{"room": room, "room_name": "Lisbon", **line} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in named))
    return path


def messages(database: str) -> list[Any]:
    """Return all messages with everything that matters of them."""
    with psycopg.connect(database) as connection:
        return connection.execute(
            "select room_id, seq, rev, id, sender_id, body, reply_to, thread_root, attachments,"
            " to_char(created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') from chat.messages"
            " order by room_id, seq"
        ).fetchall()


@pytest.fixture
def seeded(database: str) -> str:
    """A database with Ann, Bob, Cat and Dan in it, and without messages."""
    with psycopg.connect(database) as connection:
        connection.execute((ROOT / "supabase" / "seed.sql").read_bytes())
        connection.execute(
            "truncate chat.messages, chat.receipts, chat.marks, chat_private.sends,"
            " chat_private.message_search, chat.room_members, chat.room_preferences, chat.bans,"
            " chat.rooms cascade"
        )
    return database


async def test_messages_come_in_the_order_of_their_times(seeded: str, tmp_path: Path) -> None:
    done = import_files(seeded, [jsonl(tmp_path / "a.jsonl", LISBON)], silent)
    assert done == Imported(rooms=1, messages=3, added=3)
    found = messages(seeded)
    assert [(row[1], row[5], row[9]) for row in found] == [
        (1, r"First \u0000", "2024-05-01 10:00"),
        (2, "", "2024-05-01 11:00"),
        (3, "Third", "2024-05-02 09:00"),
    ]
    assert [(row[6], row[7]) for row in found] == [(None, None), (None, None), (1, 1)]
    assert found[1][8] == [{"path": "old/1.jpg"}]
    with psycopg.connect(seeded) as connection:
        names = connection.execute(
            "select display_name, closed_at is not null from chat.profiles where user_id = %s",
            (as_uuid("person", "zoe@old.example"),),
        ).fetchall()
        assert names == [("Zoe", True)]
        by_anybody = {fault: query for fault, query in FAULTS.items() if "sender" not in fault}
        for fault, query in by_anybody.items():
            assert connection.execute(query.encode()).fetchall() == [], fault


async def test_ann_reads_what_was_imported(seeded: str, tmp_path: Path) -> None:
    import_files(seeded, [jsonl(tmp_path / "a.jsonl", LISBON)], silent)
    with psycopg.connect(seeded) as connection:
        connection.execute(
            "select set_config('request.jwt.claims', %s, true),"
            " set_config('role', 'authenticated', true)",
            (json.dumps({"sub": ANN}),),
        )
        rooms = connection.execute(
            "select room ->> 'name', last_message ->> 'body' from chat.list_rooms()"
        ).fetchall()
        assert rooms == [("Lisbon", "Third")]
        assert connection.execute("select from chat.search_messages('third')").fetchall()


async def test_importing_twice_is_importing_once(seeded: str, tmp_path: Path) -> None:
    paths = [jsonl(tmp_path / "a.jsonl", LISBON), jsonl(tmp_path / "b.jsonl", LISBON, "porto")]
    assert import_files(seeded, paths, silent).added == 6
    before = messages(seeded)
    assert import_files(seeded, paths, silent) == Imported(rooms=2, messages=6, added=0)
    assert messages(seeded) == before


async def test_a_long_room_is_gapless(seeded: str, tmp_path: Path) -> None:
    lines = [
        {
            "id": str(number),
            "sender": ANN,
            "sent_at": f"2024-05-01T{number // 100:02}:00:00Z",
            "body": f"{number}",
        }
        for number in range(1700)
    ]
    assert import_files(seeded, [jsonl(tmp_path / "a.jsonl", lines)], silent).added == 1700
    assert [row[5] for row in messages(seeded)] == [str(number) for number in range(1700)]
    assert [row[1] for row in messages(seeded)] == list(range(1, 1701))


async def test_bad_lines_are_named_and_nothing_is_imported(seeded: str, tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "bad.jsonl",
        [
            LISBON[1],
            {**LISBON[1]},
            {**LISBON[1], "id": "n1", "sent_at": "yesterday"},
            {**LISBON[1], "id": "n2", "sent_at": "2024-05-01T12:00:00"},
            {**LISBON[1], "id": "n3", "body": "x" * 8001},
            {**LISBON[1], "id": "n4", "reply_to": "nothing"},
            {**LISBON[1], "id": "n5", "body": "A NUL: \0"},
            {**LISBON[1], "id": "n6", "body": " "},
            {**LISBON[1], "id": "n7", "colour": "red"},
        ],
    )
    path.write_text(path.read_text() + "{no json\n\n")
    with pytest.raises(ImportRefused) as caught:
        import_files(seeded, [path], silent)
    told = {int(line.split(":")[1]): line for line in caught.value.detail.splitlines()}
    assert sorted(told) == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert f"{path}:3: sent_at: " in told[3] and "colour" in told[9]
    assert messages(seeded) == []


async def test_what_the_database_refuses_undoes_all_of_it(seeded: str, tmp_path: Path) -> None:
    good = jsonl(tmp_path / "good.jsonl", LISBON, "a first room")
    future = [{**LISBON[1], "sent_at": "2999-01-01T00:00:00Z"}]
    bad = jsonl(tmp_path / "bad.jsonl", future, "another room")
    with pytest.raises(ImportRefused, match="in the future") as caught:
        import_files(seeded, [good, bad], silent)
    assert str(bad) in caught.value.detail
    assert messages(seeded) == []
    assert import_files(seeded, [good], silent).added == 3


async def test_a_room_in_which_people_talk_is_left_alone(seeded: str, tmp_path: Path) -> None:
    with psycopg.connect(seeded) as connection:
        connection.execute(
            "select set_config('request.jwt.claims', %s, true)", (json.dumps({"sub": ANN}),)
        )
        made = connection.execute("select (chat.create_room('Busy')).id::text").fetchone()
        assert made is not None
        connection.execute("select chat.send_message(%s, 'Hi', gen_random_uuid())", made)
    with pytest.raises(ImportRefused, match="messages of its own"):
        import_files(seeded, [jsonl(tmp_path / "a.jsonl", LISBON, made[0])], silent)
    assert [row[5] for row in messages(seeded)] == ["Hi"]


async def test_the_command_counts_and_refuses_in_words(seeded: str, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "parley.cli", "import", "--db-url", seeded, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    jsonl(tmp_path / "a.jsonl", LISBON)
    assert json.loads(run("a.jsonl", "--json").stdout) == {"rooms": 1, "messages": 3, "added": 3}
    assert "The others were there already." in run("a.jsonl").stderr
    absent = run("absent.jsonl")
    assert absent.returncode == 1
    assert absent.stderr.startswith("absent.jsonl cannot be read")
    assert "Traceback" not in absent.stderr
