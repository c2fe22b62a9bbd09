"""What somebody keeps for themselves, and whom an edit mentions, in the copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parley.errors import AnswerRefused
from parley.sync.outbox import Outbox
from tests.unit.sync_fakes import BOB, ME, ROOM, membership, message
from tests.unit.test_sync_arrivals import (
    AT,
    CAT,
    Copy,
    notification,
    pin,
    reaction,
    receipt,
    rows_of,
)

TABLES = ("messages", "reactions", "pins", "receipts")


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    """Ann's copy, in a room with messages 11 to 14, about all of which there is something."""
    copy = Copy(tmp_path / "ann.db")
    messages = [message(seq, seq, f"line {seq}", mentions=[ME]) for seq in (11, 12, 13, 14)]
    copy.pull({"memberships": [membership(1)]}, {"messages": messages})
    copy.tell(
        reactions=[reaction(seq) for seq in (11, 12, 13, 14)],
        pins=[pin(seq) for seq in (11, 12, 13, 14)],
        receipts=[receipt(BOB, "read", seq) for seq in (11, 12, 13, 14)],
    )
    copy.tell_me(notifications=[called(seq - 3, seq, seq) for seq in (5, 11, 12, 13, 14)])
    yield copy
    copy.store.close()


def called(seq: int, message_seq: int, message_rev: int) -> dict[str, Any]:
    """A notification of a mention, and at which number it came."""
    return notification(seq, message_seq) | {"message_rev": message_rev}


def preferences(cleared_seq: int = 0, marked_unread: bool = False) -> dict[str, Any]:
    """A row of ``room_preferences``."""
    return {
        "user_id": ME,
        "room_id": ROOM,
        "notify": "all",
        "snoozed_until": None,
        "archived": False,
        "pinned": False,
        "rev": 30,
        "marked_unread": marked_unread,
        "cleared_seq": cleared_seq,
    }


def seqs(copy: Copy) -> list[int | None]:
    """The messages that are shown."""
    return [each.seq for each in copy.reads.messages(ROOM)]


def test_what_was_cleared_leaves_the_copy_with_all_that_is_about_it(copy: Copy) -> None:
    copy.tell_me(preferences=[preferences(cleared_seq=12)])
    assert seqs(copy) == [13, 14]
    assert [rows_of(copy, each) for each in TABLES] == [2, 2, 2, 2]
    assert [each.seq for each in copy.reads.search("line")] == [14, 13]
    assert [seq for seq, _ in copy.notifications] == [11, 10]
    assert (copy.reads.unread(ROOM), copy.reads.mentions(ROOM)) == (2, 2)


def test_a_room_that_was_cleared_is_empty_and_keeps_its_place(copy: Copy) -> None:
    before = copy.reads.rooms()[0]
    copy.tell_me(preferences=[preferences(cleared_seq=14)])
    room = copy.reads.rooms()[0]
    assert (room.last_message, room.unread, room.mentions) == (None, 0, 0)
    assert room.active_at == before.active_at
    # A device that begins later is not told when the last message came but by the room.
    copy.store.distrust(ROOM, 21)
    row = {"id": ROOM, "changed_rev": 1, "floor_seq": 0, "last_seq": 14, "active_at": AT}
    copy.pull(room={"rooms": [row]})
    assert copy.reads.rooms()[0].active_at == max(AT, before.active_at)


def test_steps_bring_nothing_back_that_was_cleared(copy: Copy) -> None:
    copy.tell_me(preferences=[preferences(cleared_seq=14)])
    copy.tell(
        messages=[message(13, 22, "edited", edited_at=AT), message(15, 22, "new")],
        reactions=[reaction(14), reaction(15)],
        pins=[pin(14)],
        receipts=[receipt(CAT, "read", 14)],
    )
    assert seqs(copy) == [15]
    assert [rows_of(copy, each) for each in TABLES] == [1, 1, 0, 0]


def test_a_room_may_be_cleared_further_than_its_copy_has_come(copy: Copy) -> None:
    copy.tell_me(preferences=[preferences(cleared_seq=16)])
    copy.tell(messages=[message(15, 22, "cleared elsewhere"), message(16, 22, "as well")])
    assert seqs(copy) == []
    copy.tell(messages=[message(17, 23, "new", mentions=[ME])])
    assert seqs(copy) == [17]
    copy.tell_me(notifications=[called(40, 16, 22), called(41, 17, 23)])
    assert [seq for seq, _ in copy.notifications] == [41]


def test_a_page_that_was_asked_for_before_clearing_is_not_kept(copy: Copy) -> None:
    page = {"messages": [message(seq, seq, "old") for seq in (9, 10)]}
    assert copy.store.extend(ROOM, 11, 9, page)
    copy.tell_me(preferences=[preferences(cleared_seq=8)])
    with copy.store.keeping_from(ROOM, 7):
        copy.tell(messages=[message(8, 24, "edited", edited_at=AT)])
    older = {"messages": [message(seq, seq, "old") for seq in (7, 8)]}
    assert not copy.store.extend(ROOM, 9, 7, older)
    assert rows_of(copy, "messages") == 6


def test_what_is_unread_before_the_copy_is_counted_anew_after_clearing(copy: Copy) -> None:
    copy.store.execute("update streams set older_unread = 7, older_counted = 1")
    assert copy.reads.unread(ROOM) == 11
    copy.tell_me(preferences=[preferences(cleared_seq=5)])
    assert copy.store.cursor().uncounted == {ROOM}
    copy.tell_me(preferences=[preferences(cleared_seq=10)])
    assert copy.store.cursor().uncounted == set()
    assert copy.reads.unread(ROOM) == 4


def test_preferences_that_tell_no_place_are_refused(copy: Copy) -> None:
    with pytest.raises(AnswerRefused):
        copy.pull({"preferences": [preferences() | {"cleared_seq": -1}]})
    assert seqs(copy) == [11, 12, 13, 14]


def test_a_room_stays_marked_as_unread_until_it_is_read_to_its_end(copy: Copy) -> None:
    assert not copy.reads.rooms()[0].marked_unread
    copy.tell_me(preferences=[preferences(marked_unread=True)])
    assert copy.reads.rooms()[0].marked_unread
    outbox = Outbox(copy.store)
    outbox.add("read", ROOM, seq=13)
    assert copy.reads.rooms()[0].marked_unread
    outbox.add("read", ROOM, seq=14)
    assert not copy.reads.rooms()[0].marked_unread


def test_an_edit_that_takes_a_mention_out_ends_its_notification(copy: Copy) -> None:
    copy.tell(messages=[message(13, 22, "nobody", edited_at=AT)])
    assert [seq for seq, _ in copy.notifications] == [11, 9, 8, 2]
    # Also where the message is not in the copy; an edit that leaves the mention in ends nothing.
    copy.tell(messages=[message(5, 23, "nobody", edited_at=AT)])
    copy.tell(messages=[message(12, 24, "still", mentions=[ME], edited_at=AT)])
    copy.tell(messages=[message(11, 25, "all", mention_all=True, edited_at=AT)])
    assert [seq for seq, _ in copy.notifications] == [11, 9, 8]


def test_a_mention_in_an_edit_stands_whichever_stream_tells_first(copy: Copy) -> None:
    copy.tell_me(notifications=[called(40, 13, 23)])
    assert [seq for seq, _ in copy.notifications] == [40, 11, 9, 8, 2]
    copy.tell(messages=[message(13, 22, "nobody", edited_at=AT)])
    assert [seq for seq, _ in copy.notifications] == [40, 11, 9, 8, 2]
    copy.tell(messages=[message(13, 23, "again", mentions=[ME], edited_at=AT)])
    assert [seq for seq, _ in copy.notifications] == [40, 11, 9, 8, 2]
    copy.tell(messages=[message(13, 24, "nobody", edited_at=AT)])
    assert [seq for seq, _ in copy.notifications] == [11, 9, 8, 2]
    # One that arrives after the edit that ended it.
    copy.tell_me(notifications=[called(41, 13, 23)])
    assert [seq for seq, _ in copy.notifications] == [11, 9, 8, 2]
