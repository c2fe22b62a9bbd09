"""The local copy of one account: rows and how far they go, always written together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from parley import events
from parley.models import ProfilesRow
from parley.sync.change import Change
from parley.sync.database import Database
from parley.sync.faults import OtherAccount
from parley.sync.kinds import as_model, shape
from parley.sync.session import Session
from parley.sync.steps import Answer, Rows, Step
from parley.sync.writer import Writer

PEOPLE = ("user_id", "sender_id", "actor_id")
"""The columns that name somebody whose profile is needed to show a row."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the copy has of the streams it asks about; None is nothing."""

    timeline: str | None
    user: int | None
    rooms: Mapping[str, int | None]

    def asking(self, window: int, limit: int) -> events.Cursor:
        """The argument of ``pull_changes``."""
        rooms = {UUID(room_id): rev for room_id, rev in self.rooms.items()}
        return events.Cursor(
            timeline=self.timeline, user=self.user, rooms=rooms, window=window, limit=limit
        )


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
        self._writer = Writer(self.database)
        self._fit_models()

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
    def session(self) -> Session | None:
        """The tokens of the account, if it is signed in."""
        session = self.database.one("select session from account")[0]
        return None if session is None else as_model(Session, str(session))

    @session.setter
    def session(self, value: Session | None) -> None:
        text = None if value is None else value.model_dump_json()
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
            self._writer.put_profiles(answer.profiles)
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

    def put_profiles(self, profiles: Iterable[ProfilesRow]) -> None:
        """Keep profiles of people whom rows name."""
        with self.database.transaction():
            self._writer.put_profiles(each.model_dump(mode="json") for each in profiles)

    def unknown_people(self, changes: Iterable[Change]) -> set[str]:
        """Name the people in these changes whose profile is not here."""
        named = {
            str(row[column])
            for change in changes
            for rows in change.raw.values()
            for row in rows
            for column in PEOPLE
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
        self._writer.keep_from[room_id] = first_seq
        try:
            yield
        finally:
            del self._writer.keep_from[room_id]

    def extend(self, room_id: str, before: int, first_seq: int, rows: Rows) -> bool:
        """Lower the range of a room from ``before`` with the rows of the messages in between.

        Tells whether it was done; it is not when the range moved meanwhile.
        """
        with self.database.transaction():
            stream = self._stream(room_id)
            if stream is None or stream["first_seq"] != before:
                return False
            self._writer.put_rows(rows)
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

    def _fit_models(self) -> None:
        """Forget rows that were kept for models of another version; they come again."""
        with self.database.transaction():
            kept_for = self.database.one("select shape from account")[0]
            if kept_for != shape():
                self._writer.empty()
                self.database.execute("update account set shape = ?", (shape(),))

    def _stream(self, room_id: str) -> sqlite3.Row | None:
        return self._writer.stream(room_id)

    def _rev(self, room_id: str | None) -> int | None:
        if room_id is None:
            rev = self.database.one("select rev from account")[0]
        else:
            stream = self._stream(room_id)
            rev = None if stream is None else stream["rev"]
        return None if rev is None else int(rev)

    def _put(self, step: Step) -> list[Change]:
        return self._writer.put(step)
