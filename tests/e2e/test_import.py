"""``parley import`` takes all of some files or nothing, and the same files once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from parley.errors import ImportRefused
from parley.importing import Imported, import_files
from parley.importing.line import as_uuid
from tests.e2e.test_seed import FAULTS
from tests.hostile import HOSTILE, assert_hostile_but_shown, assert_shown

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
        "attachments": [{"link": "old/1.jpg"}],
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
            " chat_private.search_blocks, chat.room_members, chat.room_preferences, chat.bans,"
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
    assert found[1][8] == [{"link": "old/1.jpg"}]
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


def crowd(count: int, **bad: Any) -> list[dict[str, Any]]:
    """Lines of a long room, one a second; ``bad`` changes line 334."""
    return [
        {
            "id": f"m{number}",
            "sender": "zoe@old.example",
            "sent_at": f"2020-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
            "body": f"{number}",
        }
        | (bad if number == 333 else {})
        for number in range(count)
    ]


BAD: dict[str, dict[str, Any]] = {
    "a body of one mark": {"body": "\u200e"},
    "a body of nothing that shows": {"body": "\u200b\u2060\u3164"},
    "a body that is too long": {"body": "x" * 40_000},
    "a body that is no text": {"body": 7},
    "a NUL in the body": {"body": "a\0b"},
    "a NUL in the name of the sender": {"sender_name": "a\0b"},
    "a NUL in an attachment": {"attachments": [{"a\0": 1}]},
    "too many attachments": {"attachments": [{}] * 31},
    "attachments over 16 KB": {"attachments": [{"x": "y" * 17_000}]},
    "attachments that are no list": {"attachments": {"path": "x"}},
    "attachments that are texts": {"attachments": ["x"]},
    "a number that JSON does not have": {"attachments": [{"x": float("inf")}]},
    "a time with no zone": {"sent_at": "2020-01-01T10:00:00"},
    "a time that has not come": {"sent_at": "2999-01-01T00:00:00Z"},
    "the last time of all": {"sent_at": "9999-12-31T23:59:59-05:00"},
    "the first time of all": {"sent_at": "0001-01-01T00:00:00+05:00"},
    "a time of before computers": {"sent_at": "0001-01-01T00:00:00Z"},
    "a number for a time": {"sent_at": "1e300"},
    "a large number for a time": {"sent_at": 1e300},
    "a leap second": {"sent_at": "2016-12-31T23:59:60Z"},
    "a day that does not exist": {"sent_at": "2024-02-30T00:00:00Z"},
    "a reply to nothing": {"reply_to": "gone"},
    "a reply to what comes later": {"reply_to": "m334"},
    "a second message of one id": {"id": "m2"},
    "no sender": {"sender": ""},
    "a key that there is not": {"colour": "red"},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_a_bad_line_is_named_as_itself(
    seeded: str, tmp_path: Path, bad: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = jsonl(tmp_path / "a.jsonl", crowd(340, **bad))
    for at_once in (500, 7):
        monkeypatch.setattr("parley.importing.database.AT_ONCE", at_once)
        with pytest.raises(ImportRefused) as caught:
            import_files(seeded, [path], silent)
        assert [line.split(": ")[0] for line in caught.value.detail.splitlines()] == [f"{path}:334"]
    assert messages(seeded) == []
    path = jsonl(path, crowd(340))
    assert import_files(seeded, [path], silent).added == 340


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"id": "\xe9"}', "invalid unicode"),
        (b'{"id": "a\\ud83d"}', "Invalid JSON"),
        (b"\xff\xfe{", "Invalid JSON"),
        (b"[" * 5000, "recursion limit"),
        (b"\x00", "Invalid JSON"),
    ],
)
async def test_what_is_no_json_is_named_by_line(
    seeded: str, tmp_path: Path, line: bytes, said: str
) -> None:
    path = jsonl(tmp_path / "a.jsonl", LISBON)
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(ImportRefused, match=said) as caught:
        import_files(seeded, [path], silent)
    assert caught.value.detail.startswith(f"{path}:4: ")


async def test_a_file_of_windows_is_read(seeded: str, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", LISBON)
    lines = path.read_bytes().replace(b"\n", b"\r\n").splitlines(keepends=True)
    # Two files put together have a mark in the middle.
    path.write_bytes(b"\xef\xbb\xbf" + lines[0] + b"\xef\xbb\xbf" + b"".join(lines[1:]) + b"\r\n")
    assert import_files(seeded, [path], silent).added == 3


async def test_messages_of_one_moment_stay_in_the_order_of_their_lines(
    seeded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.importing.database.AT_ONCE", 7)
    lines = [{**line, "sent_at": "2020-01-01T00:00:00Z"} for line in crowd(60)]
    assert import_files(seeded, [jsonl(tmp_path / "a.jsonl", lines)], silent).added == 60
    assert [row[5] for row in messages(seeded)] == [f"{number}" for number in range(60)]


async def test_names_of_people_and_rooms_are_made_fit_or_refused(
    seeded: str, tmp_path: Path
) -> None:
    names = {
        "a": "\u200f🙂 שלום",
        "b": "\u200b",
        "c": "c@old.example",
        "d": "x" * 99,
        "e": "[b]E[/]",
    }
    lines = [
        {**crowd(1)[0], "id": key, "sender": key, "sender_name": name}
        for key, name in names.items()
    ]
    import_files(seeded, [jsonl(tmp_path / "a.jsonl", lines)], silent)
    with psycopg.connect(seeded) as connection:
        found = connection.execute(
            "select user_id, display_name from chat.profiles where user_id = any (%s)",
            ([as_uuid("person", key) for key in names],),
        ).fetchall()
    assert dict(found) == {
        as_uuid("person", key): name
        for key, name in zip(
            names, ["🙂 שלום", "New member", "New member", "x" * 80, "[b]E[/]"], strict=True
        )
    }
    for name, said in (("a\u202eb", "control characters"), ("x" * 121, "at most 120")):
        path = jsonl(tmp_path / "b.jsonl", [LISBON[1], {**LISBON[2], "room_name": name}], "other")
        path.write_text(path.read_text().replace('"room_name": "Lisbon", ', "", 1))
        with pytest.raises(ImportRefused, match=said) as caught:
            import_files(seeded, [path], silent)
        assert caught.value.detail.startswith(f"{path}:2: A room name")


async def test_a_rule_of_the_adopters_is_told_of_by_line(seeded: str, tmp_path: Path) -> None:
    with psycopg.connect(seeded) as connection:
        connection.execute(
            "alter table chat.messages add constraint nothing_about_fight_club"
            " check (body not like '%fight club%')"
        )
    lines = crowd(60)
    lines[12]["body"] = lines[47]["body"] = "the first rule of fight club"
    path = jsonl(tmp_path / "a.jsonl", lines)
    with pytest.raises(ImportRefused, match="nothing_about_fight_club") as caught:
        import_files(seeded, [path], silent)
    assert [line.split(": ")[0] for line in caught.value.detail.splitlines()] == [
        f"{path}:13",
        f"{path}:48",
    ]
    assert messages(seeded) == []


async def test_twenty_bad_lines_are_enough(seeded: str, tmp_path: Path) -> None:
    lines = [{**line, "body": ""} for line in crowd(50)]
    path = jsonl(tmp_path / "a.jsonl", lines)
    with pytest.raises(ImportRefused) as caught:
        import_files(seeded, [path], silent)
    told = [line.split(": ")[0] for line in caught.value.detail.splitlines()]
    assert told == [f"{path}:{number}" for number in range(1, 21)]
    path.write_text("no json\n" * 50)
    with pytest.raises(ImportRefused, match="and 30 more"):
        import_files(seeded, [path], silent)


async def test_a_database_in_trouble_is_not_taken_for_a_bad_line(
    seeded: str, tmp_path: Path
) -> None:
    path = jsonl(tmp_path / "a.jsonl", LISBON)
    with psycopg.connect(seeded) as connection:
        connection.execute(
            "create function chat_private.fail() returns trigger language plpgsql as"
            " $$ begin raise exception using errcode = '53100', message = 'disk full'; end $$"
        )
        connection.execute(
            "create trigger fail before insert on chat.messages"
            " for each row execute function chat_private.fail()"
        )
    with pytest.raises(ImportRefused, match="The database stopped the import: disk full") as caught:
        import_files(seeded, [path], silent)
    assert str(path) not in caught.value.detail
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
    path = jsonl(tmp_path / "a.jsonl", crowd(600), made[0])
    with pytest.raises(ImportRefused, match="messages of its own") as caught:
        import_files(seeded, [path], silent)
    assert len(caught.value.detail.splitlines()) == 1
    assert "Import into a new room." in caught.value.hint
    assert [row[5] for row in messages(seeded)] == ["Hi"]


async def test_the_command_counts_and_refuses_in_words(seeded: str, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return parley_import(tmp_path, seeded, *words)

    jsonl(tmp_path / "a.jsonl", LISBON)
    assert json.loads(run("a.jsonl", "--json").stdout) == {"rooms": 1, "messages": 3, "added": 3}
    assert "The others were there already." in run("a.jsonl").stderr
    absent = run("absent.jsonl")
    assert absent.returncode == 1
    assert absent.stderr.startswith("absent.jsonl cannot be read")
    assert "Traceback" not in absent.stderr


async def test_a_hostile_file_is_shown_and_not_obeyed(seeded: str, tmp_path: Path) -> None:
    text = HOSTILE.replace("\ud83d", "")
    path = jsonl(
        tmp_path / f"{text[:40].replace('/', '')}.jsonl",
        [
            {**LISBON[1], "id": text},
            {**LISBON[1], "id": text},
            {**LISBON[1], "id": "n0", "reply_to": f"no {text}"},
            {**LISBON[1], "id": "n1", text: 1},
            {**LISBON[1], "id": "n2", "sent_at": text},
            {**LISBON[1], "id": "n3", "sender": "x", "sender_name": text, "body": ""},
            {**LISBON[1], "id": "n4", "attachments": [text]},
        ],
        text,
    )
    with psycopg.connect(seeded) as connection:
        connection.execute(
            sql.SQL("alter table chat.messages add constraint {} check (body <> 'no')").format(
                sql.Identifier(text[:40])
            )
        )
    done = parley_import(tmp_path, seeded, str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert_hostile_but_shown(done.stderr)
    assert "Traceback" not in done.stderr
    told = [line.split(":")[1] for line in done.stderr.splitlines()[:-1]]
    assert sorted(told) == ["2", "3", "4", "5", "6", "7"]
    path = jsonl(path, [{**LISBON[1], "body": "no"}])
    done = parley_import(tmp_path, seeded, str(path))
    assert_shown(done.stderr)
    assert "violates check constraint" in done.stderr and "\\u001b" in done.stderr


def parley_import(folder: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "parley.cli", "import", "--db-url", url, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
