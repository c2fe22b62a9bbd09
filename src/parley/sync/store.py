"""The local copy of one account: rows and how far they go, always written together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from parley.sync.change import Change
from parley.sync.cursor import CopyCursor, Held
from parley.sync.database import Database, OnFault
from parley.sync.errors import OtherAccount
from parley.sync.kinds import ROOM_KINDS, USER_KINDS, maybe_model, shape
from parley.sync.profile_rows import (
    doubt_profiles,
    is_held,
    people_in,
    put_profiles,
    settle_profiles,
)
from parley.sync.queries import query
from parley.sync.room_rows import (
    count_older,
    lower,
    put_room,
    put_rows,
    read_cleared,
    read_stream,
)
from parley.sync.rows import Row, Rows, refused
from parley.sync.session import Session
from parley.sync.steps import Answer, Step
from parley.sync.user_rows import drop_rooms_left, put_user, settle_doubts

LOCAL_RETRY_S = 1.0
"""How long until what is in the way of the file is looked at again."""


class Store(Database):
    """The file of one account, and its only owner. All methods are transactions of their own."""

    def __init__(self, path: Path | str, on_fault: OnFault = lambda fault: None) -> None:
        """Open or create the copy. Raises StoreUnusable, StoreDamaged, StoreTooNew.

        ``on_fault`` is told what gets in the way of the file once it is open.
        """
        super().__init__(path)
        self._keep_from: dict[str, int] = {}
        self._fit_models()
        self._on_fault = on_fault

    def bind(self, url: str, user_id: str) -> None:
        """Claim the file for an account. Raises OtherAccount when it is another's."""
        with self.transaction():
            account = self.one("select url, user_id from account")
            if account["user_id"] not in (None, user_id) or account["url"] not in (None, url):
                raise OtherAccount(
                    f"The local copy {self.path} belongs to another account.",
                    "Give every account a file of its own, or forget() the copy first.",
                )
            self.execute("update account set url = ?, user_id = ?", (url, user_id))

    @property
    def me(self) -> str | None:
        """Whose copy this is; None until somebody signed in."""
        user_id = self.one("select user_id from account")[0]
        return None if user_id is None else str(user_id)

    @property
    def device_id(self) -> str:
        """The name of this installation, which lives as long as the file."""
        return str(self.one("select device_id from account")[0])

    @property
    def url(self) -> str | None:
        """Which server this is a copy of."""
        url = self.one("select url from account")[0]
        return None if url is None else str(url)

    @property
    def session(self) -> Session | None:
        """The tokens of the account, if it is signed in."""
        session = self.one("select session from account")[0]
        return None if session is None else maybe_model(Session, str(session))

    @session.setter
    def session(self, value: Session | None) -> None:
        text = None if value is None else value.model_dump_json()
        with self.transaction():
            self.execute("update account set session = ?", (text,))

    def probe(self) -> None:
        """Where something got in the way, see whether it is still there. Raises StoreUnusable."""
        if self.fault is not None:
            with self.transaction():
                self.execute("update account set only_row = only_row")

    def cursor(self, room_ids: Iterable[str] | None = None) -> CopyCursor:
        """What the copy has of the own stream and of some rooms, or of all of them."""
        account = self.one("select timeline, rev, seen from account")
        streams = {row["room_id"]: row for row in self.all(query("stream_list"))}
        if room_ids is not None:
            streams = {each: streams[each] for each in room_ids if each in streams}
        return CopyCursor(
            account["timeline"],
            account["rev"],
            {each: row["rev"] for each, row in streams.items()},
            {each: row["first_seq"] for each, row in streams.items() if row["may_be_unread"]},
            {each for each, row in streams.items() if not row["older_counted"]},
            account["seen"],
        )

    def apply_step(self, step: Step) -> list[Change] | None:
        """Apply a step that joins on to what is there; None when it does not and must be pulled."""
        with self.transaction():
            if step.rows is None or step.begin is None or self._rev(step.room_id) != step.begin:
                return None
            return self._put(step)

    def apply_answer(self, asked: CopyCursor, answer: Answer) -> list[Change]:
        """Apply what a pull with this cursor brought, except to streams that moved meanwhile.

        An answer from a snapshot that does not see yet what the copy has is left alone as well.
        Raises AnswerRefused, with nothing written, when it does not begin where it was asked to.
        """
        changes: list[Change] = []
        with self.transaction():
            if asked.timeline is None:
                self.execute(
                    "update account set timeline = ? where timeline is null", (answer.timeline,)
                )
            account = self.one("select timeline from account")
            if account["timeline"] != answer.timeline or answer.user is None:
                return []
            is_own_fresh = False
            for step in (answer.user, *answer.rooms):
                have = asked.user if step.room_id is None else asked.rooms.get(step.room_id)
                if step.begin not in (None, have):
                    raise refused("it does not begin where it was asked to")
                is_known = step.room_id is None or read_stream(self, step.room_id) is not None
                if is_known and self._rev(step.room_id) == have and (have or 0) <= step.to:
                    changes += self._put(step)
                    is_own_fresh |= step.room_id is None and step.begin is None
            own_rev = self._rev(None)
            if own_rev is not None and own_rev <= answer.user.to:
                # The server counted with all marks that are here.
                count_older(self, asked.first, answer)
                if own_rev == answer.user.to and not answer.more:
                    changes = drop_rooms_left(self) + changes
            settle_doubts(self, is_own_fresh)
            changes += self._put_seen(answer)
        return changes

    def start_over(self, timeline: str) -> None:
        """Ask for everything anew, because the numbers are those of another history.

        What is there stays readable until the answers replace it. Sends and marks that no step has
        confirmed go again.
        """
        with self.transaction():
            for name in ("outbox_unanswered", "outbox_undone", "outbox_restored"):
                self.execute(query(name))
            self.execute("update account set timeline = ?, rev = null, seen = null", (timeline,))
            self.execute("update streams set rev = null")
            doubt_profiles(self)

    def distrust(self, room_id: str | None, have: int) -> None:
        """Ask for one stream anew, unless it moved: the server does not know these numbers."""
        with self.transaction():
            self.execute(query("outbox_unanswered"))
            if room_id is None:
                self.execute("update account set rev = null where rev = ?", (have,))
            else:
                self.execute(
                    "update streams set rev = null where room_id = ? and rev = ?", (room_id, have)
                )

    def put_profiles(self, profiles: Iterable[Row]) -> list[Change]:
        """Keep profiles of people whom rows name."""
        with self.transaction():
            return put_profiles(self, profiles)

    def unknown_people(self, changes: Iterable[Change]) -> set[str]:
        """Name the people in these changes whose profile is not here."""
        named = people_in(change.raw for change in changes)
        return {each for each in named if not is_held(self, each)}

    def doubtful_people(self) -> list[str]:
        """Name all people whose profile is here, if these have to be asked for anew."""
        statement = (
            "select p.user_id from profiles as p join account as a on a.profile_doubts order by 1"
        )
        return [row[0] for row in self.all(statement)]

    def settle_profiles(self, asked: Sequence[str], profiles: Iterable[Row]) -> list[Change]:
        """Write what the server says of people in doubt that it was asked about."""
        with self.transaction():
            return settle_profiles(self, asked, profiles)

    def end_profile_doubts(self) -> None:
        """Note that the server was asked about everybody."""
        with self.transaction():
            self.execute("update account set profile_doubts = 0")

    def held(self, room_id: str) -> Held | None:
        """What there is of a room; None when it is not in the copy."""
        with self.transaction():
            stream = read_stream(self, room_id)
            if stream is None:
                return None
            messages = self.all(
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
            self._keep_from.pop(room_id, None)

    def extend(self, room_id: str, before: int, first_seq: int, rows: Rows) -> bool:
        """Lower the range of a room from ``before`` with the rows of the messages in between.

        Tells whether it was done; it is not when the range moved meanwhile, or was cleared.
        """
        with self.transaction():
            stream = read_stream(self, room_id)
            if stream is None or stream["first_seq"] != before:
                return False
            if first_seq <= read_cleared(self, room_id):
                return False
            put_rows(self, rows)
            lower(self, room_id, first_seq)
        return True

    def _fit_models(self) -> None:
        """Forget rows that were kept for models of another version; they come again."""
        with self.transaction():
            kept_for = self.one("select shape from account")[0]
            if kept_for != shape():
                self._empty()
                self.execute("update account set shape = ?", (shape(),))

    def _rev(self, room_id: str | None) -> int | None:
        if room_id is None:
            rev = self.one("select rev from account")[0]
        else:
            stream = read_stream(self, room_id)
            rev = None if stream is None else stream["rev"]
        return None if rev is None else int(rev)

    def _put(self, step: Step) -> list[Change]:
        if step.room_id is None:
            return put_user(self, step)
        change = put_room(self, step, step.room_id, self._keep_from.get(step.room_id))
        return [] if change is None else [change]

    def _put_seen(self, answer: Answer) -> list[Change]:
        # Of people who changed, those are kept who are here, or whom the answer's rows name.
        named = people_in(step.rows or {} for step in (answer.user, *answer.rooms) if step)
        wanted = [
            row
            for row in answer.profiles
            if row["user_id"] in named or is_held(self, row["user_id"])
        ]
        changes = put_profiles(self, wanted)
        self.execute("update account set seen = ?", (answer.seen,))
        return changes

    def _empty(self) -> None:
        """Delete all rows and how far they go; the account, its rooms and the outbox stay."""
        for kind in (*ROOM_KINDS.values(), *USER_KINDS.values()):
            self.execute(f"delete from {kind.name}")  # noqa: S608
        self.execute("delete from profiles")
        self.execute("update account set rev = null, seen = null")
        self.execute(
            "update streams set rev = null, first_seq = 1, last_seq = 0, older_counted = 0"
        )
        self.execute("update outbox set row = null")
