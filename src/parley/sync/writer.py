"""Writing steps into the copy: rows, how far they go, and what they settle in the outbox.

Everything here happens inside a transaction of the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from uuid import UUID

from parley.sync.change import Change
from parley.sync.database import Database
from parley.sync.kinds import ROOM_KINDS, USER_KINDS, Kind, dumped
from parley.sync.queries import query
from parley.sync.steps import Row, Rows, Step


class Writer:
    """Writes into one file. ``keep_from`` lowers the range of rooms that are being extended."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.keep_from: dict[str, int] = {}

    def stream(self, room_id: str) -> sqlite3.Row | None:
        """What there is of a room."""
        return self._database.maybe("select * from streams where room_id = ?", (room_id,))

    def put(self, step: Step) -> list[Change]:
        """Write a step; of a room only when the room is known."""
        if step.room_id is None:
            return self._put_user(step)
        stream = self.stream(step.room_id)
        return [] if stream is None else [self._put_room(step, step.room_id, stream)]

    def put_rows(self, rows: Rows) -> None:
        """Write rows of rooms, except over newer ones."""
        for name, some in rows.items():
            self._put_kind(ROOM_KINDS[name], some)

    def put_profiles(self, profiles: Iterable[Row]) -> None:
        """Write profiles."""
        self._database.execute_many(
            query("profile_kept"), [(row["user_id"], dumped(row)) for row in profiles]
        )

    def empty(self) -> None:
        """Delete all rows and how far they go; the account, its rooms and the outbox stay."""
        for kind in (*ROOM_KINDS.values(), *USER_KINDS.values()):
            self._database.execute(f"delete from {kind.name}")  # noqa: S608
        self._database.execute("delete from profiles")
        self._database.execute("update account set rev = null")
        self._database.execute("update streams set rev = null, first_seq = 1, last_seq = 0")
        self._database.execute("update outbox set row = null")

    def _put_kind(self, kind: Kind, rows: Iterable[Row]) -> None:
        self._database.execute_many(kind.upsert, [kind.values(row) for row in rows])

    def _put_room(self, step: Step, room_id: str, stream: sqlite3.Row) -> Change:
        rows = step.rows or {}
        first, last, active_at = stream["first_seq"], stream["last_seq"], stream["active_at"]
        messages = rows.get("messages", ())
        if step.begin is None:
            self._delete_rows(room_id)
            last = 0
            first = min(
                (row["seq"] for row in messages),
                default=max((row["last_seq"] for row in rows.get("rooms", ())), default=0) + 1,
            )
        lowest = min(first, self.keep_from.get(room_id, first))
        kept: dict[str, list[Row]] = {}
        for name, kind in ROOM_KINDS.items():
            some = [
                row for row in rows.get(name, ()) if kind.about is None or row[kind.about] >= lowest
            ]
            if some:
                self._put_kind(kind, some)
                kept[name] = some
        for row in messages:
            if row["seq"] > last:
                last, active_at = row["seq"], row["created_at"]
        for row in rows.get("rooms", ()):
            if row["floor_seq"] >= first:
                first = row["floor_seq"] + 1
                self._delete_below(room_id, first)
        self._database.execute(
            query("stream_moved"),
            {
                "room_id": room_id,
                "rev": step.to,
                "first_seq": first,
                "last_seq": last,
                "active_at": active_at,
            },
        )
        self._confirm(room_id, step.to, messages)
        return Change(UUID(room_id), kept, is_fresh=step.begin is None)

    def _put_user(self, step: Step) -> list[Change]:
        rows = step.rows or {}
        for name, kind in USER_KINDS.items():
            if step.begin is None:
                self._database.execute(f"delete from {name}")  # noqa: S608
            self._put_kind(kind, rows.get(name, ()))
        memberships = rows.get("memberships", ())
        mine = [str(row["room_id"]) for row in memberships if row["left_at"] is None]
        gone = {str(row["room_id"]) for row in memberships if row["left_at"] is not None}
        gone |= set(step.dropped_rooms)
        known = {row[0] for row in self._database.all("select room_id from streams")}
        if step.begin is None:
            gone |= known - set(mine)
        self._database.execute_many(
            "insert into streams (room_id) values (?) on conflict do nothing",
            [(each,) for each in mine],
        )
        for room_id in sorted(gone):
            self._drop(room_id)
        self._database.execute("update account set rev = ?", (step.to,))
        self._database.execute(query("marks_confirmed"), {"rev": step.to})
        dropped = [Change(UUID(each), is_gone=True) for each in sorted(gone & known)]
        return [*dropped, Change(None, rows, is_fresh=step.begin is None)]

    def _confirm(self, room_id: str, to: int, messages: Iterable[Row]) -> None:
        """What the server has stamped needs no place in the outbox, whoever told us first."""
        me = self._database.one("select user_id from account")[0]
        self._database.execute_many(
            "delete from outbox where kind = 'send' and room_id = ? and client_id = ?",
            [(room_id, row["client_id"]) for row in messages if row["sender_id"] == me],
        )
        self._database.execute(query("deeds_confirmed"), {"room_id": room_id, "rev": to})

    def _drop(self, room_id: str) -> None:
        """The room and everything of it, in the transaction that tells so."""
        self._delete_rows(room_id)
        self._database.execute("delete from streams where room_id = ?", (room_id,))
        self._database.execute(query("deeds_dropped"), {"room_id": room_id})
        self._database.execute(query("deeds_discarded"), {"room_id": room_id})

    def _delete_rows(self, room_id: str) -> None:
        for name in ROOM_KINDS:
            self._database.execute(f"delete from {name} where room_id = ?", (room_id,))  # noqa: S608

    def _delete_below(self, room_id: str, first: int) -> None:
        for kind in ROOM_KINDS.values():
            if kind.about is not None:
                self._database.execute(
                    f"delete from {kind.name} where room_id = ? and {kind.about} < ?",  # noqa: S608
                    (room_id, first),
                )
