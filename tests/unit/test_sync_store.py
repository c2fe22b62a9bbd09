"""The copy: ranges, removals, the outbox, several versions, several processes, kill -9."""

from __future__ import annotations

import asyncio
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

from parley.errors import AnswerRefused
from parley.models import MarksRow, MessagesRow
from parley.sync.change import Change
from parley.sync.checksum import checksum
from parley.sync.cursor import CopyCursor
from parley.sync.database import Database
from parley.sync.errors import OtherAccount, StoreTooNew, StoreUnusable
from parley.sync.feed import Subscription
from parley.sync.outbox import Outbox, Said
from parley.sync.reads import Reads
from parley.sync.steps import Answer, Step
from parley.sync.store import Store
from parley.sync.view_models import Message
from tests.unit.sync_fakes import BOB, ME, ROOM, membership, message, step

FIRST = "00000000-0000-4000-8000-0000000000c1"
SECOND = "00000000-0000-4000-8000-0000000000c2"


def row(seq: int, body: str, client_id: str) -> MessagesRow:
    """What the server answers to a message of mine."""
    return MessagesRow.model_validate(message(seq, seq, body, sender=ME, client_id=client_id))


def mark(**columns: int) -> MarksRow:
    """What the server answers to a mark."""
    return MarksRow.model_validate({"user_id": ME, "room_id": ROOM, "delivered_seq": 0, **columns})


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
    return store.apply_answer(CopyCursor(None, None, {ROOM: None}), answer)


def take(store: Store, payload: dict[str, Any]) -> list[Change] | None:
    """Apply the payload of an event."""
    read = Step.read(payload)
    assert read is not None
    return store.apply_step(read)


def shown(store: Store) -> list[str]:
    """The bodies of the room."""
    reads = Reads(store, Outbox(store))
    return [each.body for each in reads.messages(ROOM)]


def test_rows_and_numbers_are_written_together(store: Store) -> None:
    somebody_elses = {"room_id": ROOM, "user_id": BOB, "rev": 2}
    marks = {"marks": [{**somebody_elses, "user_id": ME}, somebody_elses]}
    with pytest.raises(AnswerRefused):
        take(store, {"user_id": ME, "from": 1, "to": 2, "rows": marks})
    assert store.cursor().user == 1
    assert store.all("select 1 from marks") == []
    assert take(store, step(13, 14, {"room_id": ROOM, "seq": 14})) is None
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
    outbox = Outbox(store)
    outbox.add("send", ROOM, client_id=FIRST, said=Said(body="unsent"))
    outbox.add("read", ROOM, seq=13)
    gone = {"memberships": [membership(2, left_at="2026-11-21T00:00:00+00:00")]}
    changes = take(store, {"user_id": ME, "from": 1, "to": 2, "rows": gone})
    assert changes is not None and changes[0] == Change(UUID(ROOM), is_gone=True)
    assert shown(store)[:-1] == []
    assert [(each.kind, each.state) for each in outbox.items()] == [("send", "discarded")]
    assert store.all("select 1 from messages") == []
    assert store.all("select 1 from message_search where message_search match 'line'") == []


def test_what_was_answered_before_a_restore_and_never_came_goes_again(store: Store) -> None:
    outbox = Outbox(store)
    sent = outbox.add("send", ROOM, client_id=FIRST, said=Said(body="answered"))
    read = outbox.add("read", ROOM, seq=15)
    react = outbox.add("react", ROOM, seq=12, said=Said(emoji="👍"))
    outbox.accept(sent, row(14, "answered", FIRST))
    outbox.accept(read, mark(read_seq=15, rev=20))
    outbox.accept(react, row(14, "", SECOND))
    assert {each.state for each in outbox.items()} == {"sent"}
    store.start_over("t2")
    again = [(each.kind, each.state, each.rev) for each in outbox.items()]
    assert again == [("send", "pending", None), ("read", "pending", None)]
    # The own stream of the restored database has not come as far, and the mark moves in it.
    outbox.accept(read, mark(read_seq=13, rev=2))
    rows = {"memberships": [membership(1)]}
    user: dict[str, Any] = {"from": None, "to": 2, "rows": rows, "dropped_rooms": []}
    answer = {"timeline": "t2", "user": user, "rooms": [], "profiles": [], "more": False}
    store.apply_answer(store.cursor(), Answer.read(answer))
    assert [each.kind for each in outbox.items()] == ["send"]


def test_a_restore_leaves_nothing_to_be_done_to_the_wrong_message(store: Store) -> None:
    outbox = Outbox(store)
    outbox.add("delete", ROOM, seq=13)
    outbox.add("edit", ROOM, client_id=SECOND, said=Said(body="of a message that was numbered"))
    outbox.add("send", ROOM, client_id=FIRST, said=Said(body="unsent"))
    outbox.add("edit", ROOM, client_id=FIRST, said=Said(body="of the unsent one"))
    store.start_over("t2")
    assert [(each.kind, each.state, each.reason) for each in outbox.items()] == [
        ("delete", "discarded", "restored"),
        ("edit", "discarded", "restored"),
        ("send", "pending", ""),
        ("edit", "pending", ""),
    ]


def profile_of(user_id: str, name: str, **more: Any) -> dict[str, Any]:
    """A row of ``profiles``."""
    return {
        "user_id": user_id,
        "display_name": name,
        "label": None,
        "is_bot": False,
        "closed_at": None,
        "changed_xid": "7",
        **more,
    }


def bring(store: Store, *profiles: dict[str, Any], seen: str | None = "1:1:") -> list[Change]:
    """Apply an answer with nothing but profiles."""
    answer = {"timeline": "t", "rooms": [], "profiles": profiles, "more": False, "seen": seen}
    user = {"from": 1, "to": 1, "rows": {}, "dropped_rooms": []}
    text = json.dumps(answer | {"user": user})
    changes = store.apply_answer(store.cursor(), Answer.read(json.loads(text)))
    return [each for each in changes if each.people]


def profiles(store: Store) -> dict[str, tuple[str, str | None]]:
    """The name and the label of everybody whose profile is here."""
    rows = (json.loads(row[0]) for row in store.all("select row from profiles"))
    return {row["user_id"]: (row["display_name"], row["label"]) for row in rows}


def test_a_profile_that_changed_replaces_the_one_that_is_here(store: Store) -> None:
    store.put_profiles([profile_of(BOB, "Bob")])
    (change,) = bring(store, profile_of(BOB, "Robert"), profile_of(SECOND, "Cat"))
    assert change.people == (UUID(BOB),)
    assert profiles(store) == {BOB: ("Robert", None)}
    assert bring(store, profile_of(BOB, "Robert")) == []


def test_a_pull_names_the_snapshot_of_the_last_answer(store: Store) -> None:
    assert store.cursor().asking(1, 1).seen is None
    bring(store, seen="10:20:12")
    assert store.cursor().asking(1, 1).seen == "10:20:12"
    store.start_over("t")
    assert store.cursor().asking(1, 1).seen is None


def test_profiles_are_in_doubt_when_the_own_one_changed(store: Store) -> None:
    store.put_profiles([profile_of(BOB, "Bob", label="guide"), profile_of(ME, "Ann")])
    bring(store, profile_of(ME, "Ann"))
    assert store.doubtful_people() == []
    bring(store, profile_of(ME, "Ann", changed_xid="8"))
    assert store.doubtful_people() == sorted([BOB, ME])
    (change,) = store.settle_profiles([BOB, ME], [profile_of(ME, "Ann", changed_xid="8")])
    store.end_profile_doubts()
    assert change.people == (UUID(BOB),)
    assert profiles(store) == {BOB: ("Bob", None), ME: ("Ann", None)}
    assert store.doubtful_people() == []


def test_people_whom_nothing_names_leave_with_their_tenant(store: Store) -> None:
    tenant = "00000000-0000-4000-8000-0000000000e1"
    store.put_profiles(profile_of(each, "Name") for each in (BOB, SECOND))

    def known() -> list[str]:
        return [row[0] for row in store.all("select user_id from profiles")]

    own = {"user_id": ME, "rows": {}}
    take(store, own | {"from": 1, "to": 2, "dropped_tenants": []})
    assert known() == [BOB, SECOND]
    (change,) = take(store, own | {"from": 2, "to": 3, "dropped_tenants": [tenant]}) or []
    assert change.dropped_tenants == (UUID(tenant),)
    assert known() == [BOB]


def test_an_answer_tells_of_lost_tenants_as_well(store: Store) -> None:
    tenant = "00000000-0000-4000-8000-0000000000e1"
    user = {"from": 1, "to": 2, "rows": {}, "dropped_rooms": [], "dropped_tenants": [tenant]}
    answer = {"timeline": "t", "user": user, "rooms": [], "profiles": [], "more": False}
    (change,) = store.apply_answer(store.cursor(), Answer.read(answer))
    assert change.dropped_tenants == (UUID(tenant),)


@pytest.mark.parametrize("tenants", [None, "x", [1], ["x"]])
def test_a_step_with_tenants_that_are_none_is_pulled(store: Store, tenants: object) -> None:
    own = {"user_id": ME, "from": 1, "to": 2, "rows": {}}
    assert take(store, own | {"dropped_tenants": tenants}) is None
    assert store.cursor().user == 1
    assert take(store, own | {"dropped_tenants": []}) is not None


def test_the_committed_row_replaces_the_pending_one_whoever_brings_it(store: Store) -> None:
    outbox = Outbox(store)
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
    outbox = Outbox(store)
    outbox.add("read", ROOM, seq=12)
    sent = outbox.items()[0]
    outbox.add("read", ROOM, seq=13)
    mark = MarksRow(user_id=UUID(ME), room_id=UUID(ROOM), delivered_seq=12, read_seq=12, rev=2)
    outbox.accept(sent, mark)
    waiting = outbox.items(None, "pending")
    assert [each.seq for each in waiting] == [13]
    reads = Reads(store, outbox)
    assert reads.unread(ROOM) == 0


def test_a_refused_message_takes_along_what_was_meant_for_it(store: Store) -> None:
    outbox = Outbox(store)
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
    outbox = Outbox(store)
    changes = take(store, step(13, 14, message(14, 14, "news")))
    assert changes is not None
    assert [each.body for each in changes[0].room_rows.messages] == ["news"]
    assert changes[0].user_rows.marks == ()
    item = outbox.add("send", ROOM, client_id=FIRST, said=Said(body="mine", mentions=[UUID(BOB)]))
    outbox.add("react", ROOM, seq=14, said=Said(emoji="👍"))
    outbox.add("edit", ROOM, client_id=FIRST, said=Said(body="mine, edited"))
    *_, theirs, mine = Reads(store, outbox).messages(ROOM)
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
    outbox = Outbox(store)
    outbox.add("send", ROOM, client_id=FIRST, said=Said(body="waiting"))
    again = Store(tmp_path / "ann.db")
    assert again.cursor().rooms == {ROOM: 13}
    again.execute("update account set shape = 'of another version'")
    again.close()
    again = Store(tmp_path / "ann.db")
    assert (again.me, again.cursor().user, again.cursor().rooms) == (ME, None, {ROOM: None})
    assert shown(again) == ["waiting"]
    fill(again)
    assert shown(again) == ["line 11", "line 12", "line 13", "waiting"]
    again.close()


def test_a_row_that_cannot_be_read_is_shown_as_such_among_the_others(store: Store) -> None:
    store.execute("update messages set row = '{}' where seq = 12")
    reads = Reads(store, Outbox(store))
    page = reads.messages(ROOM)
    assert [(each.seq, each.is_unreadable) for each in page] == [
        (11, False),
        (12, True),
        (13, False),
    ]
    assert (page[1].body, str(page[1].sender_id)) == ("", BOB)
    assert reads.rooms()[0].last_message == page[-1]


def test_a_room_a_person_and_a_deed_that_cannot_be_read_cost_only_themselves(store: Store) -> None:
    take(
        store,
        {
            "user_id": ME,
            "from": 1,
            "to": 2,
            "rows": {
                "notifications": [{"seq": 1, "user_id": ME, "rev": 2, "kind": "from the future"}]
            },
        },
    )
    take(
        store,
        {
            "room_id": ROOM,
            "from": 13,
            "to": 14,
            "rows": {
                "rooms": [
                    {"id": ROOM, "changed_rev": 14, "floor_seq": 0, "last_seq": 13, "name": 7}
                ],
                "members": [{"room_id": ROOM, "user_id": BOB, "rev": 14, "role": "king"}],
            },
        },
    )
    store.put_profiles([{"user_id": BOB, "display_name": 7}])
    outbox = Outbox(store)
    lost = outbox.add("send", ROOM, client_id=FIRST, said=Said(body="x"))
    outbox.add("send", ROOM, client_id=SECOND, said=Said(body="waiting"))
    arguments = '{"body": "x", "of_a_newer_version": 1}'
    store.execute("update outbox set arguments = ? where id = ?", (arguments, lost.id))
    reads = Reads(store, outbox)
    room = reads.room(ROOM)
    assert room is not None and room.row is None and room.is_unreadable
    assert (reads.members(ROOM), reads.notifications(), reads.profile(BOB)) == ([], [], None)
    assert [each.body for each in reads.messages(ROOM)[-2:]] == ["", "waiting"]
    assert [each.said.body for each in outbox.items(None, "pending")] == ["waiting"]
    assert [(each.state, each.reason) for each in outbox.items()] == [
        ("failed", "unreadable"),
        ("pending", ""),
    ]
    outbox.dismiss(lost.id)
    assert [each.said.body for each in outbox.items()] == ["waiting"]


def test_search_pages_by_time_like_the_server(store: Store) -> None:
    other = "00000000-0000-4000-8000-000000000002"
    store.execute("insert into streams (room_id) values (?)", (other,))
    old = [
        message(seq, seq, "needle", room_id=other, created_at=f"2020-01-01T00:00:00.{seq:03}Z")
        for seq in range(1, 30)
    ]
    same = [message(seq, seq, "needle", created_at="2026-01-01T00:00:00+00:00") for seq in (20, 21)]
    # The newest come first, and what is old is fetched last, as ``older`` does it.
    held = store.held(ROOM)
    assert held is not None
    assert store.extend(ROOM, held.first_seq, 1, {"messages": same})
    assert store.extend(other, 1, 1, {"messages": old})
    reads = Reads(store, Outbox(store))
    found = []
    page = reads.search("needle", page_size=7)
    while page:
        found += page
        page = reads.search("needle", page_size=7, before=found[-1])
    assert [(str(each.room_id), each.seq) for each in found] == [
        (ROOM, 21),
        (ROOM, 20),
        *((other, seq) for seq in range(29, 0, -1)),
    ]
    inside = reads.search("needle", other, page_size=3)
    assert [each.seq for each in inside] == [29, 28, 27]


def test_what_waits_for_a_follower_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley.sync.feed.MOST_WAITING", 10)
    subscription = Subscription()
    fault = StoreUnusable("full", "make space")
    subscription.put(Change(None, fault=fault))
    subscription.put(Change(UUID(BOB), is_gone=True))
    for number in range(1000):
        subscription.put(Change(UUID(ROOM), {"messages": [message(number, number, "x")]}))
    assert len(subscription) <= 12
    subscription.end()
    taken = []
    while (change := asyncio.run(subscription.take())) is not None:
        taken.append(change)
    assert Change(UUID(BOB), is_gone=True) in taken
    assert Change(None, is_fresh=True, fault=fault) in taken
    fresh = next(change for change in taken if change.room_id == UUID(ROOM))
    assert fresh.is_fresh and not fresh.raw


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
outbox = Outbox(store)
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
        waiting = {each.client_id for each in Outbox(store).items()}
        assert f"{writer.pid}/{acknowledged}" in waiting
        assert store.one("pragma integrity_check")[0] == "ok"
        store.close()
