"""What is asked of a read replica, and which of its answers are taken."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from parley.events import Cursor
from parley.stack.state import State
from parley.stack.status import PartStatus, status_of
from parley.sync.replica import ROOMS_MOST, URL_BYTES_MOST, Least, query_of, reaches
from parley.sync.steps import Answer
from tests.unit.sync_fakes import ME, ROOM

OTHER = "00000000-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({}, ""),
        ({"page_size": 5, "before": None}, "?page_size=5"),
        ({"query": "a b&c=1"}, "?query=a%20b%26c%3D1"),
        ({"user_ids": [UUID(ME)]}, f"?user_ids={{%22{ME}%22}}"),
        ({"user_ids": []}, "?user_ids={}"),
        ({"before": {"pinned": True}}, "?before={%22pinned%22:true}"),
    ],
)
def test_arguments_are_written_as_postgrest_reads_them(
    arguments: dict[str, Any], query: str
) -> None:
    assert query_of(arguments) == query


def test_the_largest_cursor_of_a_pull_fits_into_a_url() -> None:
    rooms = {UUID(int=2**127 + number): 10**8 for number in range(ROOMS_MOST)}
    cursor = Cursor(
        timeline="f" * 64,
        user=10**8,
        rooms=dict(rooms),
        first=rooms,
        seen="1000000000:1000000100:1000000000,1000000050",
        window=200,
        limit=5000,
    )
    url = "https://abcdefghijklmnopqrst-rr-eu-central-1-abcde.supabase.co/rest/v1/rpc/pull_changes"
    assert len(url + query_of({"cursor": cursor})) <= URL_BYTES_MOST


def answer_of(**changes: Any) -> Answer:
    """An answer that brings a room from 3 to 5 and the own stream to 7."""
    room = {"room_id": ROOM, "from": 3, "to": 5, "rows": {}, "reset": False}
    user = {"from": 7, "to": 7, "rows": {}, "dropped_rooms": changes.pop("dropped", [])}
    whole = {"timeline": "first", "user": user, "rooms": [room], "profiles": [], "more": False}
    return Answer.read({**whole, **changes})


@pytest.mark.parametrize(
    ("least", "changes", "is_taken"),
    [
        ({None: 7, ROOM: 5}, {}, True),
        ({None: 7, ROOM: 5, OTHER: 2}, {}, True),
        ({None: 8}, {}, False),
        ({ROOM: 6}, {}, False),
        ({OTHER: 3}, {}, False),
        ({OTHER: 3}, {"dropped": [OTHER]}, True),
        ({ROOM: 6}, {"more": True}, True),
        ({}, {"user": None}, False),
        ({}, {"timeline": "second"}, False),
    ],
)
def test_an_answer_is_taken_if_it_goes_as_far_as_what_is_known(
    least: Least, changes: dict[str, Any], is_taken: bool
) -> None:
    cursor = Cursor(timeline="first", user=7, rooms={UUID(ROOM): 3, UUID(OTHER): 2})
    assert reaches(answer_of(**changes), cursor, least) is is_taken


def test_the_first_answer_may_be_of_any_history() -> None:
    assert reaches(answer_of(), Cursor(rooms={UUID(ROOM): None}), {None: 7})


def test_a_stack_without_a_replica_has_no_url_for_reads(tmp_path: Any) -> None:
    state = State.fresh(tmp_path)
    parts = {"replica": PartStatus("ready", "17")}
    without = status_of(state, running=True, ready=True, parts={})
    having = status_of(state, running=True, ready=True, parts=parts)
    assert (without.read_url, without.replica_db_url) == ("", "")
    assert (having.read_url, having.replica_db_url) == (state.read_url, state.replica_db_url)
