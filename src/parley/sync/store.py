"""The local copy of one account: rows and how far they go, always written together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parley.sync.database import Database
from parley.sync.faults import OtherAccount
from parley.sync.kinds import ROOM_KINDS, USER_KINDS, Kind, dumped
from parley.sync.steps import Answer, Row, Rows, Step


@dataclass(frozen=True, slots=True)
class Change:
    """Something the copy did not show before. ``room_id`` is None for the own stream.

    ``rows`` are the new rows by kind; ``is_gone`` tells that the room left the copy, and
    ``is_fresh`` that the rows replaced all there was.
    """

    room_id: str | None
    rows: Rows = field(default_factory=dict)
    is_gone: bool = False
    is_fresh: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the copy has of the streams it asks about; None is nothing."""

    timeline: str | None
    user: int | None
    rooms: Mapping[str, int | None]

    def to_json(self, window: int, limit: int) -> dict[str, Any]:
        """The argument of ``pull_changes``."""
        return {
            "timeline": self.timeline,
            "user": self.user,
            "rooms": dict(self.rooms),
            "window": window,
            "limit": limit,
        }


@dataclass(frozen=True, slots=True)
class Held:
    """What the copy has of a room: its number, its range, and seq and rev of each message."""

    rev: int | None
    first_seq: int
    messages: Sequence[tuple[int, int]]


class Store:
    """One file. All methods are transactions of their own."""

    def __init__(self, path: Path | str) -> None:
        """Open or create the copy. Raises StoreUnusable, StoreTooNew."""
        self.database = Database(path)
        self._keep_from: dict[str, int] = {}

    def bind(self, url: str, user_id: str) -> None:
        """Claim the file for an account. Raises OtherAccount when it is another's."""
        with self.database.transaction():
            account = self.database.one("select url, user_id from account")
            if account["user_id"] not in (None, user_id) or account["url"] not in (None, url):
                raise OtherAccount(
                    f"The local copy {self.database.path} belongs to another account.",
                    "Give every account a file of its own, or forget() the copy first.",
                )
            self.database.execute("update account set url = ?, user_id = ?", (url, user_id))

    @property
    def me(self) -> str | None:
        """Whose copy this is; None until somebody signed in."""
        user_id = self.database.one("select user_id from account")[0]
        return None if user_id is None else str(user_id)

    @property
    def url(self) -> str | None:
        """Which server this is a copy of."""
        url = self.database.one("select url from account")[0]
        return None if url is None else str(url)

    @property
    def session(self) -> dict[str, Any] | None:
        """The tokens of the account, if it is signed in."""
        session = self.database.one("select session from account")[0]
        return None if session is None else dict(json.loads(session))

    @session.setter
    def session(self, value: Mapping[str, Any] | None) -> None:
        text = None if value is None else dumped(value)
        with self.database.transaction():
            self.database.execute("update account set session = ?", (text,))

    def cursor(self, room_ids: Iterable[str] | None = None) -> Cursor:
        """What the copy has of the own stream and of some rooms, or of all of them."""
        account = self.database.one("select timeline, rev from account")
        streams = {row[0]: row[1] for row in self.database.all("select room_id, rev from streams")}
        if room_ids is not None:
            streams = {each: streams[each] for each in room_ids if each in streams}
        return Cursor(account["timeline"], account["rev"], streams)

    def apply_step(self, step: Step) -> list[Change] | None:
        """Apply a step that joins on to what is there; None when it does not and must be pulled."""
        with self.database.transaction():
            if step.rows is None or step.begin is None or self._rev(step.room_id) != step.begin:
                return None
            return self._put(step)

    def apply_answer(self, asked: Cursor, answer: Answer) -> list[Change]:
        """Apply what a pull with this cursor brought, except to streams that moved meanwhile.

        An answer from a snapshot that does not see yet what the copy has is left alone as well.
        """
        changes: list[Change] = []
        with self.database.transaction():
            if asked.timeline is None:
                self.database.execute(
                    "update account set timeline = ? where timeline is null", (answer.timeline,)
                )
            account = self.database.one("select timeline from account")
            if account["timeline"] != answer.timeline or answer.user is None:
                return []
            for step in (answer.user, *answer.rooms):
                have = asked.user if step.room_id is None else asked.rooms.get(step.room_id)
                is_known = step.room_id is None or self._stream(step.room_id) is not None
                if is_known and self._rev(step.room_id) == have and (have or 0) <= step.to:
                    changes += self._put(step)
            self._put_profiles(answer.profiles)
        return changes

    def start_over(self, timeline: str) -> None:
        """Ask for everything anew, because the numbers are those of another history.

        What is there stays readable until the answers replace it.
        """
        with self.database.transaction():
            self.database.execute("update account set timeline = ?, rev = null", (timeline,))
            self.database.execute("update streams set rev = null")

    def distrust(self, room_id: str | None, have: int) -> None:
        """Ask for one stream anew, unless it moved: the server does not know these numbers."""
        with self.database.transaction():
            if room_id is None:
                self.database.execute("update account set rev = null where rev = ?", (have,))
            else:
                self.database.execute(
                    "update streams set rev = null where room_id = ? and rev = ?", (room_id, have)
                )

    def put_profiles(self, profiles: Iterable[Row]) -> None:
        """Keep profiles of people whom rows name."""
        with self.database.transaction():
            self._put_profiles(profiles)

    def unknown_people(self, changes: Iterable[Change]) -> set[str]:
        """Name the people in these changes whose profile is not here."""
        named = {
            str(row[column])
            for change in changes
            for rows in change.rows.values()
            for row in rows
            for column in ("user_id", "sender_id", "actor_id")
            if row.get(column) is not None
        }
        statement = "select 1 from profiles where user_id = ?"
        return {each for each in named if self.database.maybe(statement, (each,)) is None}

    def held(self, room_id: str) -> Held | None:
        """What there is of a room; None when it is not in the copy."""
        with self.database.transaction():
            stream = self._stream(room_id)
            if stream is None:
                return None
            messages = self.database.all(
                "select seq, rev from messages where room_id = ? and seq >= ?",
                (room_id, stream["first_seq"]),
            )
        return Held(
            stream["rev"], stream["first_seq"], [(row["seq"], row["rev"]) for row in messages]
        )

    @contextmanager
    def keeping_from(self, room_id: str, first_seq: int) -> Iterator[None]:
        """Keep what steps say about messages from here on, while they are being fetched."""
        self._keep_from[room_id] = first_seq
        try:
            yield
        finally:
            del self._keep_from[room_id]

    def extend(self, room_id: str, before: int, first_seq: int, rows: Rows) -> bool:
        """Lower the range of a room from ``before`` with the rows of the messages in between.

        Tells whether it was done; it is not when the range moved meanwhile.
        """
        with self.database.transaction():
            stream = self._stream(room_id)
            if stream is None or stream["first_seq"] != before:
                return False
            for name, some in rows.items():
                self._put_rows(ROOM_KINDS[name], some)
            self.database.execute(
                "update streams set first_seq = ? where room_id = ?", (first_seq, room_id)
            )
        return True

    def remove(self) -> None:
        """Delete the file."""
        self.database.remove()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def _stream(self, room_id: str | None) -> Any:
        return self.database.maybe("select * from streams where room_id = ?", (room_id,))

    def _rev(self, room_id: str | None) -> int | None:
        if room_id is None:
            rev = self.database.one("select rev from account")[0]
        else:
            stream = self._stream(room_id)
            rev = stream["rev"] if stream is not None else None
        return None if rev is None else int(rev)

    def _put(self, step: Step) -> list[Change]:
        return self._put_user(step) if step.room_id is None else self._put_room(step, step.room_id)

    def _put_rows(self, kind: Kind, rows: Iterable[Row]) -> None:
        self.database.execute_many(kind.upsert, [kind.values(row) for row in rows])

    def _put_room(self, step: Step, room_id: str) -> list[Change]:
        rows = step.rows or {}
        stream = self._stream(room_id)
        first, last, active_at = stream["first_seq"], stream["last_seq"], stream["active_at"]
        messages = rows.get("messages", ())
        if step.begin is None:
            self._delete_rows(room_id)
            last = 0
            first = min(
                (row["seq"] for row in messages),
                default=max((row["last_seq"] for row in rows.get("rooms", ())), default=0) + 1,
            )
        lowest = min(first, self._keep_from.get(room_id, first))
        kept: dict[str, list[Row]] = {}
        for name, kind in ROOM_KINDS.items():
            some = [
                row for row in rows.get(name, ()) if kind.about is None or row[kind.about] >= lowest
            ]
            if some:
                self._put_rows(kind, some)
                kept[name] = some
        for row in messages:
            if row["seq"] > last:
                last, active_at = row["seq"], row["created_at"]
        for row in rows.get("rooms", ()):
            if row["floor_seq"] >= first:
                first = row["floor_seq"] + 1
                self._delete_below(room_id, first)
        self.database.execute(
            "update streams set rev = ?, first_seq = ?, last_seq = ?, active_at = ?"
            " where room_id = ?",
            (step.to, first, last, active_at, room_id),
        )
        self._confirm(room_id, step.to, messages)
        return [Change(room_id, kept, is_fresh=step.begin is None)]

    def _put_user(self, step: Step) -> list[Change]:
        rows = step.rows or {}
        if step.begin is None:
            for kind in USER_KINDS.values():
                self.database.execute(f"delete from {kind.table}")  # noqa: S608
        for name, kind in USER_KINDS.items():
            self._put_rows(kind, rows.get(name, ()))
        memberships = rows.get("memberships", ())
        mine = [str(row["room_id"]) for row in memberships if row["left_at"] is None]
        gone = {str(row["room_id"]) for row in memberships if row["left_at"] is not None}
        gone |= set(step.dropped_rooms)
        known = {row[0] for row in self.database.all("select room_id from streams")}
        if step.begin is None:
            gone |= known - set(mine)
        self.database.execute_many(
            "insert into streams (room_id) values (?) on conflict do nothing",
            [(each,) for each in mine],
        )
        for room_id in sorted(gone):
            self._drop(room_id)
        self.database.execute("update account set rev = ?", (step.to,))
        self.database.execute(
            "delete from outbox"
            " where state = 'sent' and kind in ('read', 'delivered') and rev <= ?",
            (step.to,),
        )
        dropped = [Change(each, is_gone=True) for each in sorted(gone & known)]
        return [*dropped, Change(None, rows, is_fresh=step.begin is None)]

    def _put_profiles(self, profiles: Iterable[Row]) -> None:
        self.database.execute_many(
            "insert into profiles (user_id, row) values (?, ?)"
            " on conflict do update set row = excluded.row",
            [(row["user_id"], dumped(row)) for row in profiles],
        )

    def _confirm(self, room_id: str, to: int, messages: Iterable[Row]) -> None:
        """What the server has stamped needs no place in the outbox, whoever told us first."""
        me = self.me
        self.database.execute_many(
            "delete from outbox where kind = 'send' and room_id = ? and client_id = ?",
            [(room_id, row["client_id"]) for row in messages if row["sender_id"] == me],
        )
        self.database.execute(
            "delete from outbox where room_id = ? and state = 'sent' and rev <= ?"
            " and kind not in ('read', 'delivered')",
            (room_id, to),
        )

    def _drop(self, room_id: str) -> None:
        """The room and everything of it, in the transaction that tells so."""
        self._delete_rows(room_id)
        self.database.execute("delete from streams where room_id = ?", (room_id,))
        self.database.execute(
            "delete from outbox where room_id = ?"
            " and (state = 'sent' or kind in ('read', 'delivered'))",
            (room_id,),
        )
        self.database.execute(
            "update outbox set state = 'discarded', reason = 'room_not_found', row = null"
            " where room_id = ?",
            (room_id,),
        )

    def _delete_rows(self, room_id: str) -> None:
        for kind in ROOM_KINDS.values():
            self.database.execute(f"delete from {kind.table} where room_id = ?", (room_id,))  # noqa: S608

    def _delete_below(self, room_id: str, first: int) -> None:
        for kind in ROOM_KINDS.values():
            if kind.about is not None:
                self.database.execute(
                    f"delete from {kind.table} where room_id = ? and {kind.about} < ?",  # noqa: S608
                    (room_id, first),
                )
