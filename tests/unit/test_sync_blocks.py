"""Whom an account has blocked, in the copy, and what is folded because of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from parley.errors import AnswerRefused
from tests.unit.sync_fakes import BOB, ME, ROOM, membership, message
from tests.unit.test_sync_arrivals import AT, CAT, Copy


def block(rev: int, blocked_id: str = BOB, removed_at: str | None = None) -> dict[str, Any]:
    """A row of ``blocks``."""
    return {
        "user_id": ME,
        "blocked_id": blocked_id,
        "blocked_at": AT,
        "removed_at": removed_at,
        "rev": rev,
    }


def room(kind: str) -> dict[str, Any]:
    """As much of a row of ``rooms`` as the copy relies on."""
    return {"id": ROOM, "kind": kind, "changed_rev": 1, "last_seq": 13, "floor_seq": 0}


def fill(copy: Copy, kind: str) -> None:
    """Let Bob, Cat and Ann say something in a room of a kind."""
    senders = {11: BOB, 12: CAT, 13: ME}
    messages = [message(seq, seq, f"line {seq}", sender) for seq, sender in senders.items()]
    copy.pull({"memberships": [membership(1)]}, {"rooms": [room(kind)], "messages": messages})


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    """Ann's copy of a group."""
    copy = Copy(tmp_path / "ann.db")
    fill(copy, "group")
    yield copy
    copy.store.close()


def folded(copy: Copy) -> list[int | None]:
    """The messages that are shown folded."""
    return [each.seq for each in copy.reads.messages(ROOM) if each.is_folded]


def test_what_a_blocked_person_says_in_a_group_is_folded(copy: Copy) -> None:
    assert folded(copy) == []
    copy.tell_me(blocks=[block(30)])
    assert folded(copy) == [11]
    assert [each.seq for each in copy.reads.search("line") if each.is_folded] == [11]
    assert [each.blocked_id for each in copy.reads.blocked()] == [UUID(BOB)]


def test_the_last_message_of_a_room_is_folded_like_the_others(copy: Copy) -> None:
    copy.tell_me(blocks=[block(30)])
    copy.tell(messages=[message(14, 21, "line 14")])
    last = copy.reads.room(ROOM).last_message
    assert last is not None and (last.seq, last.is_folded) == (14, True)


def test_a_lifted_block_folds_nothing(copy: Copy) -> None:
    copy.tell_me(blocks=[block(30)])
    copy.tell_me(blocks=[block(31, removed_at=AT)])
    assert (folded(copy), copy.reads.blocked()) == ([], [])


def test_in_a_direct_room_nothing_is_folded(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "bob.db")
    fill(copy, "direct")
    copy.tell_me(blocks=[block(30)])
    assert folded(copy) == []
    copy.store.close()


def test_what_replaces_the_own_stream_replaces_the_blocks(copy: Copy) -> None:
    copy.tell_me(blocks=[block(30)])
    copy.pull({"memberships": [membership(1)], "blocks": [block(31, CAT)]})
    assert [each.blocked_id for each in copy.reads.blocked()] == [UUID(CAT)]
    assert folded(copy) == [12]


@pytest.mark.parametrize("wrong", [{"user_id": BOB}, {"blocked_id": 5}, {"blocked_id": None}])
def test_blocks_that_make_no_sense_are_refused(copy: Copy, wrong: dict[str, Any]) -> None:
    with pytest.raises(AnswerRefused):
        copy.pull({"memberships": [membership(1)], "blocks": [block(31) | wrong]})
    assert folded(copy) == []
