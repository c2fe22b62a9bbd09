"""What must be true of a copy when it is quiet: it is what its owner's view shows, row by row.

The checker knows nothing of the client but its file: it reads the rows, and compares them with
what row level security shows that person now.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from tests.chaos.sync_tables import tables_in

VOLATILE = {"rev", "last_seq", "active_at", "touched", "newest_visible_after"}
"""Columns of a room that move without the row being part of a step."""

# What was removed is told to who had it; a copy that never did holds no such row.
ROOM_ROWS: dict[str, LiteralString] = {
    "messages": "select to_jsonb(m) from chat.messages as m where room_id = %s and seq >= %s",
    "reactions": "select to_jsonb(m) from chat.reactions as m"
    " where removed_at is null and room_id = %s and seq >= %s",
    "pins": "select to_jsonb(m) from chat.pins as m"
    " where removed_at is null and room_id = %s and seq >= %s",
    "receipts": "select to_jsonb(m) from chat.receipts as m"
    " where rev is not null and room_id = %s and up_to_seq >= %s",
}
ABOUT = {"messages": "seq", "reactions": "seq", "pins": "seq", "receipts": "up_to_seq"}
KEYS = {
    "messages": ("seq",),
    "reactions": ("seq", "user_id", "emoji"),
    "pins": ("seq",),
    "receipts": ("user_id", "kind", "up_to_seq"),
    "members": ("user_id",),
    "marks": ("room_id",),
    "preferences": ("room_id",),
    "memberships": ("room_id",),
    "notifications": ("seq",),
    "blocks": ("blocked_id",),
}
OWN_ROWS: dict[str, LiteralString] = {
    "marks": "select to_jsonb(m) from chat.marks as m where user_id = %s",
    "preferences": "select to_jsonb(m) from chat.room_preferences as m where user_id = %s",
    # Roles and mutes are news of the room; the own stream tells of coming and going.
    "memberships": "select jsonb_build_object('room_id', room_id, 'user_rev', user_rev)"
    " from chat.room_members where user_id = %s and left_at is null",
    "notifications": "select to_jsonb(m) from chat.notifications as m where user_id = %s",
    "blocks": "select to_jsonb(m) from chat.blocks as m where user_id = %s",
}

TWICE = """
select room_id, client_id, count(*) from (
  select room_id, sender_id, client_id from messages where client_id is not null
  union all
  select room_id, (select user_id from account), client_id from outbox
  where kind = 'send' and state in ('pending', 'sent')
) group by room_id, sender_id, client_id having count(*) > 1
"""
FULLY = "integrity-check"


@dataclass
class Findings:
    """What a look at one copy came to."""

    missed: list[str] = field(default_factory=list)
    """The server shows it, and the copy has not (or an older one)."""
    surplus: list[str] = field(default_factory=list)
    """The copy has it, and the server does not show it."""
    duplicated: list[str] = field(default_factory=list)
    """A message that is shown twice."""

    def __bool__(self) -> bool:
        return bool(self.missed or self.surplus or self.duplicated)

    def compare(self, what: str, here: Iterable[Any], there: Iterable[Any], kind: str) -> None:
        """Compare rows by key, and what they say."""
        mine = {key_of(row, kind): row for row in here}
        theirs = {key_of(row, kind): row for row in there}
        for key, row in theirs.items():
            if mine.get(key) != row:
                self.missed.append(f"{what} {kind} {key}: {mine.get(key)} instead of {row}")
        self.surplus += [f"{what} {kind} {key}" for key in mine.keys() - theirs.keys()]


def key_of(row: Any, kind: str) -> tuple[Any, ...]:
    """The key of a row."""
    return tuple(row[each] for each in KEYS[kind])


def is_at_heads(path: Path, db_url: str, user_id: str) -> bool:
    """Tell whether a copy has the newest number of each of its owner's rooms."""
    with closing(sqlite3.connect(path)) as copy, psycopg.connect(db_url) as connection:
        here = dict(copy.execute("select room_id, rev from streams").fetchall())
        there = connection.execute(
            "select r.id::text, r.rev from chat.rooms as r"
            " join chat.room_members as m on m.room_id = r.id"
            " where m.user_id = %s and m.left_at is null",
            [user_id],
        )
        return here == dict(there.fetchall())


def compare_copy(path: Path, db_url: str, user_id: str, name: str) -> Findings:
    """Compare one copy with what its owner may see."""
    findings = Findings()
    with (
        closing(sqlite3.connect(path)) as copy,
        psycopg.connect(db_url) as connection,
    ):
        copy.row_factory = sqlite3.Row
        copy.execute("begin")
        connection.execute(
            "select set_config('request.jwt.claims', %s, true),"
            " set_config('role', 'authenticated', true)",
            [json.dumps({"sub": user_id, "role": "authenticated"})],
        )
        rooms = {
            str(row[0]): row
            for row in connection.execute(
                "select r.id, r.rev, r.last_seq, to_jsonb(r) from chat.rooms as r"
                " join chat.room_members as m on m.room_id = r.id"
                " where m.user_id = %s and m.left_at is null",
                [user_id],
            )
        }
        streams = {row["room_id"]: row for row in copy.execute("select * from streams")}
        findings.missed += [f"{name}: room {each}" for each in rooms.keys() - streams.keys()]
        findings.surplus += [f"{name}: room {each}" for each in streams.keys() - rooms.keys()]
        for room_id in rooms.keys() & streams.keys():
            compare_room(findings, copy, connection, rooms[room_id], streams[room_id], name)
        for kind, query in OWN_ROWS.items():
            here = [json.loads(row[0]) for row in copy.execute(f"select row from {kind}")]
            there = [row[0] for row in connection.execute(query, [user_id])]
            if kind == "memberships":
                here = [
                    {"room_id": row["room_id"], "user_rev": row["user_rev"]}
                    for row in here
                    if row["left_at"] is None
                ]
            if kind == "notifications":
                lowest = min((row["seq"] for row in here), default=0)
                there = [row for row in there if row["seq"] >= lowest]
                compare_read(findings, copy, connection, name)
            findings.compare(name, here, there, kind)
        for kind, column in ABOUT.items():
            findings.surplus += [
                f"{name}: {kind} that were cleared in {row[0]}"
                for row in copy.execute(
                    f"select distinct room_id from {kind} join preferences as p using (room_id)"
                    f" where {kind}.{column} <= p.row ->> 'cleared_seq'"
                )
            ]
        for kind in (*ROOM_ROWS, "members", "rooms"):
            held = {row[0] for row in copy.execute(f"select distinct room_id from {kind}")}
            findings.surplus += [
                f"{name}: {kind} of a room that is not theirs, {each}"
                for each in held - rooms.keys()
            ]
        compare_tables(findings, copy, connection, name)
        compare_profiles(findings, copy, connection, name)
        findings.duplicated += [f"{name}: {tuple(row)}" for row in copy.execute(TWICE)]
        if not findings:
            copy.rollback()
            check_search(findings, copy, name)
    return findings


def compare_tables(
    findings: Findings,
    copy: sqlite3.Connection,
    connection: psycopg.Connection[Any],
    name: str,
) -> None:
    """Compare the rows of the project's own tables, with those that the person may select."""
    for table, here, there, key in tables_in(copy, connection):
        mine = {tuple(row[each] for each in key): row for row in here}
        theirs = {tuple(row[each] for each in key): row for row in there}
        findings.missed += [
            f"{name}: {table} {each}: {mine.get(each)} instead of {row}"
            for each, row in theirs.items()
            if mine.get(each) != row
        ]
        findings.surplus += [f"{name}: {table} {each}" for each in mine.keys() - theirs.keys()]
        if len(mine) < len(here):
            findings.duplicated.append(f"{name}: {len(here) - len(mine)} rows of {table}")


def compare_read(
    findings: Findings,
    copy: sqlite3.Connection,
    connection: psycopg.Connection[Any],
    name: str,
) -> None:
    """Compare which notifications are read; those that are over were compared as rows."""
    mark = copy.execute("select notifications_read_seq from account").fetchone()[0]
    for seq, is_read in connection.execute(
        "select seq, read_at is not null from chat.list_notifications(page_size => 200)"
    ):
        if is_read != (seq <= mark):
            findings.missed.append(f"{name}: notifications are read up to {mark}, not so {seq}")


def compare_profiles(
    findings: Findings,
    copy: sqlite3.Connection,
    connection: psycopg.Connection[Any],
    name: str,
) -> None:
    """Compare the people in the copy: all that is told where a tenant is shared, else the name."""
    here = {row[0]: json.loads(row[1]) for row in copy.execute("select user_id, row from profiles")}
    there = {
        str(row[0]): row[1]
        for row in connection.execute(
            "select p.user_id, to_jsonb(p) from chat.list_profiles(%s::uuid[]) as p", [list(here)]
        )
    }
    connection.execute("reset role")
    everybody = connection.execute(
        "select user_id::text, display_name, is_bot, to_jsonb(closed_at)"
        " from chat.profiles where user_id = any (%s::uuid[])",
        [list(here)],
    )
    for user_id, *told in everybody:
        row = here[user_id]
        if user_id in there:
            is_same = row == there[user_id]
        else:
            is_same = [row["display_name"], row["is_bot"], row["closed_at"]] == told
        if not is_same:
            findings.missed.append(f"{name}: profile {row} instead of {there.get(user_id, told)}")
    connection.execute("select set_config('role', 'authenticated', true)")


def check_search(findings: Findings, copy: sqlite3.Connection, name: str) -> None:
    """What is found are the words of the messages that are there, and no others."""
    try:
        copy.execute("insert into message_search (message_search, rank) values (?, 1)", [FULLY])
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        findings.surplus.append(f"{name}: the search index is not that of the messages")
    finally:
        copy.rollback()


def compare_room(  # noqa: PLR0917
    findings: Findings,
    copy: sqlite3.Connection,
    connection: psycopg.Connection[Any],
    room: Any,
    stream: Any,
    name: str,
) -> None:
    """Compare what is kept of one room."""
    room_id, first = str(room[0]), stream["first_seq"]
    what = f"{name} {room_id[:8]}"
    if stream["rev"] != room[1]:
        findings.missed.append(f"{what}: at {stream['rev']}, and the head is {room[1]}")
    for kind, query in ROOM_ROWS.items():
        here = [
            json.loads(row[0])
            for row in copy.execute(
                f"select row from {kind} where room_id = ? and {ABOUT[kind]} >= ?",
                (room_id, first),
            )
        ]
        here = [row for row in here if row.get("removed_at") is None]
        there = [row[0] for row in connection.execute(query, (room_id, first))]
        findings.compare(what, here, there, kind)
    members = [
        json.loads(row[0])
        for row in copy.execute("select row from members where room_id = ?", (room_id,))
    ]
    there = [
        row[0]
        for row in connection.execute(
            "select to_jsonb(m) from chat.room_members as m where room_id = %s and left_at is null",
            [room_id],
        )
    ]
    findings.compare(what, (row for row in members if row["left_at"] is None), there, "members")
    row = copy.execute("select row from rooms where room_id = ?", (room_id,)).fetchone()
    kept = {} if row is None else json.loads(row[0])
    for column in room[3].keys() - VOLATILE:
        if kept.get(column) != room[3][column]:
            findings.missed.append(f"{what}: rooms.{column} is {kept.get(column)}")
    seqs = [
        row[0]
        for row in copy.execute(
            "select seq from messages where room_id = ? and seq >= ? order by seq", (room_id, first)
        )
    ]
    if seqs != list(range(first, first + len(seqs))):
        findings.missed.append(f"{what}: the range has a gap")
