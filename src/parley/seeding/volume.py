"""Writing a large plan with COPY, in one transaction. The functions would have left equal rows.

A room has number 1 from being opened, and one number for each message. Each membership and each
mark has a number in its person's own stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from parley.report import Report
from parley.seeding.people import write_people
from parley.seeding.plan import Plan, PlannedRoom
from parley.seeding.queries import query

DEFAULT_TENANT = UUID("00000000-0000-0000-0000-000000000001")
SEARCHED_AT_ONCE = 20_000


class Writer:
    """Writes one plan over one connection, inside its transaction."""

    def __init__(self, connection: psycopg.Connection[Any], plan: Plan, report: Report) -> None:
        self._connection = connection
        self._plan = plan
        self._report = report
        self._revs: dict[UUID, int] = {}

    def write(self) -> None:
        """Write the whole plan."""
        execute = self._connection.execute
        execute("set local statement_timeout = 0")
        execute("set local gin_pending_list_limit = '64MB'")
        write_people(self._connection, self._plan)
        self._report("People", len(self._plan.people), len(self._plan.people))
        revs = execute("select user_id, rev from chat_private.user_streams for update").fetchall()
        self._revs = dict(revs)
        self._write_rooms()
        self._write_messages()
        self._write_search()

    def _write_rooms(self) -> None:
        rooms = self._plan.rooms
        found = self._connection.execute(
            "select fanout_limit from chat_private.settings"
        ).fetchone()
        limit = found[0] if found else 0
        self._copy(
            "chat.rooms",
            "id tenant_id kind name created_by created_at member_count is_large"
            " changed_rev rev last_seq touched",
            (
                (
                    *(room.id, DEFAULT_TENANT, "group", room.name, room.member_ids[0]),
                    *(room.opened_at, len(room.member_ids), len(room.member_ids) > limit),
                    *(1, 1 + room.message_count, room.message_count),
                    ["messages"] if room.message_count else ["rooms", "members"],
                )
                for room in rooms
            ),
        )
        self._copy(
            "chat.room_members",
            "room_id user_id role joined_at joined_rev rev user_rev joined_seq",
            (member for room in rooms for member in self._members(room)),
        )
        self._copy(
            "chat.marks",
            "user_id room_id delivered_seq read_seq rev",
            (mark for room in rooms for mark in self._marks(room)),
        )
        self._connection.execute(
            "create temporary table seeded_streams (user_id uuid, rev bigint) on commit drop"
        )
        self._copy("seeded_streams", "user_id rev", self._revs.items())
        self._connection.execute(query("streams"))
        self._report("Rooms", len(rooms), len(rooms))

    def _members(self, room: PlannedRoom) -> Iterator[tuple[object, ...]]:
        for place, user_id in enumerate(room.member_ids):
            role = "member" if place else "owner"
            yield room.id, user_id, role, room.opened_at, 1, 1, self._next_rev(user_id), 0

    def _marks(self, room: PlannedRoom) -> Iterator[tuple[object, ...]]:
        random = Random(f"marks {room.id}")  # noqa: S311
        for user_id in room.member_ids:
            read = max(0, room.message_count - int(random.expovariate(0.2)))
            yield user_id, room.id, room.message_count, read, self._next_rev(user_id)

    def _next_rev(self, user_id: UUID) -> int:
        self._revs[user_id] += 1
        return self._revs[user_id]

    def _write_messages(self) -> None:
        total, done = self._plan.scale.messages, 0
        columns = "room_id seq rev id sender_id body reply_to thread_root created_at"
        with self._connection.cursor().copy(copy_statement("chat.messages", columns)) as copy:
            for room in self._plan.rooms:
                roots: dict[int, int] = {}
                for each in self._plan.messages(room):
                    root = None
                    if each.reply_to is not None:
                        root = roots[each.seq] = roots.get(each.reply_to, each.reply_to)
                    copy.write_row(
                        (
                            *(room.id, each.seq, each.seq + 1, each.id, each.sender_id),
                            *(each.body, each.reply_to, root, each.created_at),
                        )
                    )
                done += room.message_count
                self._report("Messages", done, total)

    def _write_search(self) -> None:
        statements = [query(name) for name in ("search", "activity")]
        done = 0
        for rooms in portions(self._plan.rooms):
            for statement in statements:
                self._connection.execute(statement, {"room_ids": [room.id for room in rooms]})
            done += sum(room.message_count for room in rooms)
            self._report("Search", done, self._plan.scale.messages)

    def _copy(self, table: str, columns: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._connection.cursor().copy(copy_statement(table, columns)) as copy:
            for row in rows:
                copy.write_row(row)


def copy_statement(table: str, columns: str) -> sql.Composed:
    """Return a COPY into a table; ``columns`` are separated by spaces."""
    return sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns.split()))
    )


def portions(rooms: Iterable[PlannedRoom]) -> Iterator[list[PlannedRoom]]:
    """Yield rooms in groups, each with few enough messages that the progress bar moves."""
    portion: list[PlannedRoom] = []
    size = 0
    for room in rooms:
        portion.append(room)
        size += room.message_count
        if size >= SEARCHED_AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
