"""What begins where somebody came in, and what ends with something else, in the copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from parley.sync.outbox import Outbox
from parley.sync.reads import Reads
from parley.sync.steps import Answer, Step
from parley.sync.store import Store
from tests.unit.sync_fakes import BOB, ME, ROOM, membership, message

CAT = "00000000-0000-4000-8000-00000000000c"
AT = "2026-11-21T00:00:00+00:00"


def highest(least: int, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
    """The number that a step with these rows comes to."""
    numbers = ("rev", "changed_rev", "user_rev")
    found: Iterator[int] = (
        row.get(each, 0) for some in rows.values() for row in some for each in numbers
    )
    return max([least, *found])


class Copy:
    """Ann's copy, one row after the other."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.store.bind("http://here", ME)
        self.reads = Reads(self.store, Outbox(self.store))

    def pull(
        self, user: dict[str, Any] | None = None, room: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """Apply an answer that replaces what is there of the streams that it has rows of."""
        asked = self.store.cursor()
        own = asked.user or 0
        answer = Answer.read(
            {
                "timeline": "t",
                "user": {
                    "from": None if user is not None else own,
                    "to": own if user is None else highest(own + 1, user),
                    "rows": user or {},
                    "dropped_rooms": [],
                    "notifications_read_seq": 0,
                    **more,
                },
                "rooms": []
                if room is None
                else [{"room_id": ROOM, "from": None, "to": 20, "rows": room, "reset": False}],
                "profiles": [],
                "more": False,
            }
        )
        self.store.apply_answer(asked, answer)

    def tell(self, **rows: list[dict[str, Any]]) -> None:
        """Apply a step of the room."""
        begin = self.store.cursor().rooms[ROOM]
        assert begin is not None
        to = highest(begin + 1, rows)
        payload = {"room_id": ROOM, "from": begin, "to": to, "rows": rows}
        step = Step.read(payload)
        assert step is not None and self.store.apply_step(step) is not None

    def tell_me(self, read_seq: int = 0, **rows: list[dict[str, Any]]) -> None:
        """Apply a step of the own stream."""
        begin = self.store.cursor().user
        assert begin is not None
        payload = {
            "user_id": ME,
            "from": begin,
            "to": highest(begin + 1, rows),
            "notifications_read_seq": read_seq,
            "rows": rows,
        }
        step = Step.read(payload)
        assert step is not None and self.store.apply_step(step) is not None

    @property
    def notifications(self) -> list[tuple[int, bool]]:
        """The notifications that are listed, and whether they are read."""
        return [(each.seq, each.is_read) for each in self.reads.notifications()]

    @property
    def states(self) -> dict[int | None, str]:
        """The ticks of the own messages."""
        shown = self.reads.messages(ROOM)
        return {each.seq: each.state for each in shown if str(each.sender_id) == ME}


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    """Ann's copy, in a room with messages 11 to 14, of which 13 is her own."""
    copy = Copy(tmp_path / "ann.db")
    messages = [message(seq, seq, f"line {seq}") for seq in (11, 12, 14)]
    messages.append(message(13, 13, "mine", sender=ME))
    copy.pull({"memberships": [membership(1)]}, {"messages": messages})
    yield copy
    copy.store.close()


def member(user_id: str, joined_seq: int = 0, left_at: str | None = None) -> dict[str, Any]:
    """A row of ``members``."""
    return {
        "room_id": ROOM,
        "user_id": user_id,
        "rev": 20,
        "joined_seq": joined_seq,
        "left_at": left_at,
    }


def receipt(user_id: str, kind: str, up_to_seq: int, joined_seq: int = 0) -> dict[str, Any]:
    """A row of ``receipts``."""
    return {
        "room_id": ROOM,
        "user_id": user_id,
        "kind": kind,
        "up_to_seq": up_to_seq,
        "at": AT,
        "device_id": None,
        "rev": 20,
        "joined_seq": joined_seq,
    }


def notification(seq: int, message_seq: int | None, kind: str = "mention") -> dict[str, Any]:
    """A row of ``notifications``; its number is its seq."""
    return {
        "user_id": ME,
        "seq": seq,
        "kind": kind,
        "room_id": ROOM,
        "message_seq": message_seq,
        "actor_id": BOB,
        "created_at": AT,
        "rev": seq,
        "message_rev": None,
        "data": {},
    }


def reaction(seq: int) -> dict[str, Any]:
    """A row of ``reactions``."""
    return {
        "room_id": ROOM,
        "seq": seq,
        "user_id": BOB,
        "emoji": "👍",
        "created_at": AT,
        "removed_at": None,
        "rev": 20,
    }


def pin(seq: int) -> dict[str, Any]:
    """A row of ``pins``."""
    return {
        "room_id": ROOM,
        "seq": seq,
        "pinned_by": BOB,
        "pinned_at": AT,
        "removed_at": None,
        "rev": 20,
    }


def tombstone(seq: int) -> dict[str, Any]:
    """A message that was deleted."""
    return message(seq, 30, "", deleted_at=AT)


def room_row(floor_seq: int) -> dict[str, Any]:
    """A row of ``rooms`` with a floor."""
    return {"id": ROOM, "changed_rev": 25, "floor_seq": floor_seq, "last_seq": 14, "name": "n"}


def rows_of(copy: Copy, table: str) -> int:
    """How many rows a table of the copy holds."""
    return int(copy.store.one(f"select count(*) from {table}")[0])


def test_unread_begins_where_we_came_in(copy: Copy) -> None:
    assert copy.reads.unread(ROOM) == 3
    copy.tell_me(memberships=[membership(2) | {"joined_seq": 12}])
    assert copy.reads.unread(ROOM) == 1
    copy.tell(messages=[message(15, 21, "new")])
    assert copy.reads.unread(ROOM) == 2


def test_unread_begins_after_what_was_imported(copy: Copy) -> None:
    copy.tell(members=[member(ME, joined_seq=14)], messages=[message(15, 21, "new")])
    assert copy.reads.unread(ROOM) == 1


@pytest.mark.parametrize(
    ("members", "receipts", "state"),
    [
        ([], [], "sent"),
        ([member(BOB)], [], "sent"),
        ([member(BOB)], [receipt(BOB, "delivered", 13)], "delivered"),
        ([member(BOB)], [receipt(BOB, "read", 12)], "sent"),
        ([member(BOB)], [receipt(BOB, "read", 14)], "read"),
        # Cat was there, and has not acknowledged it.
        ([member(BOB), member(CAT)], [receipt(BOB, "read", 13)], "sent"),
        # Cat came later, and her receipts are about what came after.
        ([member(BOB), member(CAT, 13)], [receipt(BOB, "read", 13)], "read"),
        (
            [member(BOB), member(CAT, 13)],
            [receipt(BOB, "read", 13), receipt(CAT, "delivered", 14, 13)],
            "read",
        ),
        # Cat acknowledged it, left, and came back or not.
        ([member(BOB), member(CAT, 14)], [receipt(CAT, "read", 13)], "sent"),
        ([member(CAT, 14)], [receipt(CAT, "read", 13), receipt(CAT, "read", 15, 14)], "read"),
        ([member(CAT, 0, AT)], [receipt(CAT, "read", 13)], "read"),
        ([], [receipt(CAT, "delivered", 13)], "delivered"),
        ([member(BOB)], [receipt(BOB, "read", 13), receipt(CAT, "delivered", 13)], "delivered"),
        # Who left without a word is not waited for; nor is anybody when nobody else is here.
        ([member(BOB), member(CAT, 0, AT)], [receipt(BOB, "read", 13)], "read"),
        ([member(CAT, 0, AT)], [], "sent"),
    ],
)
def test_ticks_count_who_was_there(
    copy: Copy, members: list[dict[str, Any]], receipts: list[dict[str, Any]], state: str
) -> None:
    copy.tell(members=[member(ME), *members], receipts=receipts)
    assert copy.states == {13: state}


def test_ticks_wait_for_no_bot(copy: Copy) -> None:
    copy.tell(members=[member(ME), member(BOB), member(CAT)], receipts=[receipt(BOB, "read", 13)])
    assert copy.states == {13: "sent"}
    copy.store.put_profiles([{"user_id": CAT, "display_name": "Helper", "is_bot": True}])
    assert copy.states == {13: "read"}
    copy.tell(receipts=[receipt(CAT, "delivered", 13)])
    assert copy.states == {13: "read"}


def test_a_tombstone_ends_its_reactions_and_its_pin(copy: Copy) -> None:
    copy.tell(reactions=[reaction(12), reaction(14)], pins=[pin(12), pin(14)])
    copy.tell(messages=[tombstone(12)])
    shown = {each.seq: each for each in copy.reads.messages(ROOM)}
    assert (shown[12].reactions, shown[12].is_pinned) == ({}, False)
    assert (len(shown[14].reactions), shown[14].is_pinned) == (1, True)
    # A page that was read before the deletion, and arrives after it.
    copy.store.extend(
        ROOM, 11, 11, {"messages": [], "reactions": [reaction(12)], "pins": [pin(12)]}
    )
    assert (rows_of(copy, "reactions"), rows_of(copy, "pins")) == (1, 1)


def test_a_tombstone_ends_its_notifications_inside_the_range_and_below_it(copy: Copy) -> None:
    copy.tell_me(notifications=[notification(2, 5), notification(3, 12), notification(4, 14)])
    assert copy.notifications == [(4, False), (3, False), (2, False)]
    copy.tell(messages=[tombstone(12)])
    assert copy.notifications == [(4, False), (2, False)]
    copy.tell(messages=[tombstone(5)])
    assert copy.notifications == [(4, False)]
    # A notification that arrives after its end.
    copy.tell_me(notifications=[notification(5, 12), notification(6, 11)])
    assert copy.notifications == [(6, False), (4, False)]


def test_a_floor_ends_the_notifications_about_what_is_below(copy: Copy) -> None:
    copy.tell_me(notifications=[notification(2, 5), notification(3, 12), notification(4, 14)])
    copy.tell(rooms=[room_row(floor_seq=12)])
    assert copy.notifications == [(4, False)]
    copy.tell_me(notifications=[notification(5, 12), notification(6, 13)])
    assert copy.notifications == [(6, False), (4, False)]


def test_leaving_a_room_ends_its_notifications_for_good(copy: Copy) -> None:
    report = notification(4, 12, "report")
    copy.tell_me(notifications=[notification(2, 12), notification(3, None, "invite"), report])
    copy.tell_me(memberships=[membership(5, left_at=AT)])
    assert copy.notifications == [(4, False)]
    copy.tell_me(memberships=[membership(6)], notifications=[notification(6, None, "invite")])
    copy.tell_me(notifications=[notification(5, 12)])
    assert copy.notifications == [(6, False), (4, False)]


def test_reading_notifications_is_one_mark(copy: Copy) -> None:
    copy.tell_me(notifications=[notification(2, 12), notification(3, 14)])
    copy.tell_me(read_seq=2)
    assert copy.notifications == [(3, False), (2, True)]
    copy.tell_me(read_seq=1)
    assert copy.notifications == [(3, False), (2, True)]
    copy.pull({"memberships": [membership(1)], "notifications": [notification(2, 12)]})
    assert copy.notifications == [(2, False)]


def test_a_room_that_begins_anew_asks_which_notifications_still_stand(copy: Copy) -> None:
    copy.tell_me(notifications=[notification(2, 5), notification(3, 12)])
    copy.store.distrust(ROOM, 20)
    copy.pull(room={"messages": [message(13, 13, "mine", sender=ME)]})
    assert copy.store.cursor().user is None
    # Not while another room is on its way, and not again.
    copy.pull({"memberships": [membership(1)], "notifications": [notification(3, 12)]})
    assert copy.store.cursor().user is not None
    copy.pull()
    assert copy.store.cursor().user is not None


def test_an_answer_from_one_snapshot_leaves_no_doubt(copy: Copy) -> None:
    copy.store.start_over("t")
    copy.pull(
        {"memberships": [membership(1)], "notifications": [notification(2, 5)]},
        {"messages": [message(13, 13, "mine", sender=ME)]},
    )
    assert copy.store.cursor().user is not None
    assert copy.notifications == [(2, False)]


def test_what_a_restore_undid_ends_no_notification(copy: Copy) -> None:
    copy.tell_me(notifications=[notification(2, 11), notification(3, 12), notification(4, 14)])
    copy.tell(messages=[tombstone(12)], rooms=[room_row(floor_seq=11)])
    assert copy.notifications == [(4, False)]
    copy.store.start_over("t")
    standing = [notification(2, 11), notification(3, 12), notification(4, 14)]
    copy.pull({"memberships": [membership(1)], "notifications": standing})
    assert copy.notifications == [(4, False), (3, False), (2, False)]
    # The room comes, and says what is over in this history.
    over = tombstone(14) | {"rev": 20}
    copy.pull(room={"messages": [message(11, 11, "a"), message(12, 12, "b"), over]})
    assert copy.notifications == [(3, False), (2, False)]
