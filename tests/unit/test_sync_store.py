"""The copy: ranges, removals, the outbox, several versions, several processes, kill -9."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional
from uuid import UUID

import pytest

from parley.models import MarksRow, MessagesRow
from parley.sync.change import Change
from parley.sync.checksum import checksum
from parley.sync.database import Database
from parley.sync.faults import OtherAccount, StoreTooNew, StoreUnusable
from parley.sync.outbox import Outbox, Said
from parley.sync.shown import Message
from parley.sync.steps import Answer, Step
from parley.sync.store import Cursor, Store
from parley.sync.views import Views
from tests.unit.sync_fakes import BOB, ME, ROOM, membership, message, step

FIRST = "00000000-0000-4000-8000-0000000000c1"
SECOND = "00000000-0000-4000-8000-0000000000c2"


def row(seq: int, body: str, client_id: str) -> MessagesRow:
    """What the server answers to a message of mine."""
    return MessagesRow.model_validate(message(seq, seq, body, sender=ME, client_id=client_id))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Ann's copy, in one room, with messages 11 to 13."""
    store = Store(tmp_path / "ann.db")
    store.bind("http://here", ME)
    fill(store)
    yield store
    store.close()


def fill(store: Store) -> None:
    """Apply a first answer."""
    apply(
        store,
        user={"memberships": [membership(1)]},
        room=[message(seq, seq, f"line {seq}") for seq in (11, 12, 13)],
    )


def apply(store: Store, user: dict[str, Any], room: list[dict[str, Any]]) -> list[Change]:
    """Apply what somebody who has nothing gets."""
    answer = Answer.read(
        {
            "timeline": "t",
            "user": {"from": None, "to": 1, "rows": user, "dropped_rooms": []},
            "rooms": [
                {
                    "room_id": ROOM,
                    "from": None,
                    "to": 13,
                    "rows": {"messages": room},
                    "reset": False,
                }
            ],
            "profiles": [],
            "more": False,
        }
    )
    return store.apply_answer(Cursor(None, None, {ROOM: None}), answer)


def take(store: Store, payload: dict[str, Any]) -> list[Change] | None:
    """Apply the payload of an event."""
    read = Step.read(payload)
    assert read is not None
    return store.apply_step(read)


def shown(store: Store) -> list[str]:
    """The bodies of the room."""
    views = Views(store.database, Outbox(store.database))
    return [each.body for each in views.messages(ROOM)]


def test_rows_and_numbers_are_written_together(store: Store) -> None:
    with pytest.raises(KeyError):
        take(store, step(13, 14, {"room_id": ROOM, "seq": 14}))
    assert store.cursor().rooms == {ROOM: 13}
    assert take(store, step(13, 14, message(14, 14, "fine"))) is not None
    assert store.cursor().rooms == {ROOM: 14}


def test_news_about_messages_before_the_range_is_left_out(store: Store) -> None:
    take(store, step(13, 14, message(5, 14, "edited long ago")))
    assert shown(store) == ["line 11", "line 12", "line 13"]
    take(store, step(14, 15, message(12, 15, "edited")))
    assert shown(store) == ["line 11", "edited", "line 13"]


def test_a_purge_takes_what_is_below_the_floor(store: Store) -> None:
    floor = {
        "id": ROOM,
        "changed_rev": 14,
        "floor_seq": 12,
        "last_seq": 13,
        "name": "n",
        "is_large": False,
    }
    take(store, step(13, 14, **{"rows": {"rooms": [floor]}}))
    assert shown(store) == ["line 13"]
    held = store.held(ROOM)
    assert held is not None and held.first_seq == 13


def test_an_older_row_never_replaces_a_newer_one(store: Store) -> None:
    take(store, step(13, 14, message(12, 14, "new")))
    store.extend(ROOM, 11, 10, {"messages": [message(10, 10, "ten"), message(12, 12, "old")]})
    assert shown(store) == ["ten", "line 11", "new", "line 13"]


def test_leaving_takes_the_room_and_its_outbox_in_the_same_transaction(store: Store) -> None:
    outbox = Outbox(store.database)
    outbox.add("send", ROOM, client_id=FIRST, said=Said(body="unsent"))
    outbox.add("read", ROOM, seq=13)
    gone = {"memberships": [membership(2, left_at="2026-11-21T00:00:00+00:00")]}
    changes = take(store, {"user_id": ME, "from": 1, "to": 2, "rows": gone})
    assert changes is not None and changes[0] == Change(UUID(ROOM), is_gone=True)
    assert shown(store)[:-1] == []
    assert [(each.kind, each.state) for each in outbox.items()] == [("send", "discarded")]
    assert store.database.all("select 1 from messages") == []
    assert (
        store.database.all("select 1 from message_search where message_search match 'line'") == []
    )


def test_the_committed_row_replaces_the_pending_one_whoever_brings_it(store: Store) -> None:
    outbox = Outbox(store.database)
    first = outbox.add("send", ROOM, client_id=FIRST, said=Said(body="mine"))
    take(store, step(13, 14, message(14, 14, "mine", sender=ME, client_id=FIRST)))
    assert outbox.items() == []
    outbox.accept(first, row(14, "mine", FIRST))
    assert shown(store).count("mine") == 1

    second = outbox.add("send", ROOM, client_id=SECOND, said=Said(body="also mine"))
    outbox.accept(second, row(15, "also mine", SECOND))
    assert shown(store).count("also mine") == 1
    take(store, step(14, 15, message(15, 15, "also mine", sender=ME, client_id=SECOND)))
    assert outbox.items() == []
    assert shown(store).count("also mine") == 1


def test_a_mark_moves_the_one_that_waits(store: Store) -> None:
    outbox = Outbox(store.database)
    outbox.add("read", ROOM, seq=12)
    sent = outbox.items()[0]
    outbox.add("read", ROOM, seq=13)
    mark = MarksRow(user_id=UUID(ME), room_id=UUID(ROOM), delivered_seq=12, read_seq=12, rev=2)
    outbox.accept(sent, mark)
    waiting = outbox.items(None, "pending")
    assert [each.seq for each in waiting] == [13]
    views = Views(store.database, outbox)
    assert views.unread(ROOM) == 0


def test_a_refused_message_takes_along_what_was_meant_for_it(store: Store) -> None:
    outbox = Outbox(store.database)
    item = outbox.add("send", ROOM, client_id=FIRST, said=Said(body="x"))
    outbox.add("edit", ROOM, client_id=FIRST, said=Said(body="y"))
    outbox.add("send", ROOM, client_id=SECOND, said=Said(body="z"))
    outbox.reject(item, "member_muted")
    assert [(each.state, each.reason) for each in outbox.items()] == [
        ("failed", "member_muted"),
        ("discarded", "member_muted"),
        ("pending", ""),
    ]
    outbox.retry(item.id)
    assert outbox.items(None, "pending")[0].client_id == FIRST


def test_what_is_read_is_models(store: Store) -> None:
    outbox = Outbox(store.database)
    changes = take(store, step(13, 14, message(14, 14, "news")))
    assert changes is not None
    assert [each.body for each in changes[0].room_rows.messages] == ["news"]
    assert changes[0].user_rows.marks == ()
    item = outbox.add("send", ROOM, client_id=FIRST, said=Said(body="mine", mentions=[UUID(BOB)]))
    outbox.add("react", ROOM, seq=14, said=Said(emoji="👍"))
    outbox.add("edit", ROOM, client_id=FIRST, said=Said(body="mine, edited"))
    *_, theirs, mine = Views(store.database, outbox).messages(ROOM)
    assert (theirs.seq, theirs.state, theirs.reactions) == (14, "sent", {"👍": (UUID(ME),)})
    assert (mine.seq, mine.state, mine.item_id) == (None, "pending", item.id)
    assert (mine.body, mine.mentions, mine.client_id) == ("mine, edited", [UUID(BOB)], UUID(FIRST))
    assert mine.edited_at is not None


def test_a_message_has_all_columns_of_its_row() -> None:
    shown, row = Message.model_fields, MessagesRow.model_fields
    assert row.keys() <= shown.keys()
    for name, field in row.items():
        options = (field.annotation, Optional[field.annotation])  # noqa: UP045
        assert shown[name].annotation in options, name


def test_rows_that_were_kept_for_other_models_are_fetched_anew(
    store: Store, tmp_path: Path
) -> None:
    outbox = Outbox(store.database)
    outbox.add("send", ROOM, client_id=FIRST, said=Said(body="waiting"))
    again = Store(tmp_path / "ann.db")
    assert again.cursor().rooms == {ROOM: 13}
    again.database.execute("update account set shape = 'of another version'")
    again.close()
    again = Store(tmp_path / "ann.db")
    assert (again.me, again.cursor().user, again.cursor().rooms) == (ME, None, {ROOM: None})
    assert shown(again) == ["waiting"]
    fill(again)
    assert shown(again) == ["line 11", "line 12", "line 13", "waiting"]
    again.close()


def test_a_row_that_is_none_is_a_sentence_and_a_remedy(store: Store) -> None:
    store.database.execute("update messages set row = '{}' where seq = 12")
    with pytest.raises(StoreUnusable) as caught:
        shown(store)
    assert "no Message: ('room_id',)" in caught.value.detail and caught.value.hint


def test_another_account_and_another_server_are_refused(store: Store, tmp_path: Path) -> None:
    store.bind("http://here", ME)
    with pytest.raises(OtherAccount):
        store.bind("http://here", BOB)
    with pytest.raises(OtherAccount):
        store.bind("http://there", ME)
    assert (tmp_path / "ann.db").stat().st_mode & 0o077 == 0


def test_a_file_of_a_newer_version_and_one_that_is_no_copy_are_refused(tmp_path: Path) -> None:
    Store(tmp_path / "copy.db").close()
    Store(tmp_path / "copy.db").close()
    database = Database(tmp_path / "copy.db")
    database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(StoreTooNew):
        Store(tmp_path / "copy.db")
    (tmp_path / "text.db").write_text("this is not a database, however long it may be " * 30)
    with pytest.raises(StoreUnusable):
        Store(tmp_path / "text.db")


def test_the_checksum_is_the_one_of_room_checksum() -> None:
    pairs = [(1, 1), (2, 5), (1_000_002, 998_244_352), (2_000_005, 7)]
    expected = sum((s % 1000003 + 1) * (r % 998244353 + 1) for s, r in pairs) % 9007199254740881
    assert checksum(pairs) == (4, expected)


WRITER = """
import itertools, json, os, sys
from parley.sync.outbox import Outbox, Said
from parley.sync.steps import Step
from parley.sync.store import Store
from tests.unit.sync_fakes import ROOM, message, step
store = Store(sys.argv[1])
outbox = Outbox(store.database)
for number in itertools.count(store.cursor().rooms[ROOM] + 1):
    outbox.add("send", ROOM, client_id=f"{os.getpid()}/{number}", said=Said(body="waiting"))
    print(json.dumps(number), flush=True)
    store.apply_step(Step.read(step(number - 1, number, message(number, number, "applied"))))
"""


def test_a_process_killed_at_any_moment_leaves_a_whole_copy(tmp_path: Path) -> None:
    path = tmp_path / "ann.db"
    store = Store(path)
    store.bind("http://here", ME)
    fill(store)
    store.close()
    for attempt in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            acknowledged = json.loads(writer.stdout.readline())
            deadline = time.monotonic() + 0.004 * attempt
            while time.monotonic() < deadline:
                acknowledged = json.loads(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
        store = Store(path)
        rev = store.cursor().rooms[ROOM]
        held = store.held(ROOM)
        assert rev is not None and held is not None
        assert [seq for seq, _ in held.messages] == list(range(11, rev + 1))
        assert rev >= acknowledged - 1
        waiting = {each.client_id for each in Outbox(store.database).items()}
        assert f"{writer.pid}/{acknowledged}" in waiting
        assert store.database.one("pragma integrity_check")[0] == "ok"
        store.close()
