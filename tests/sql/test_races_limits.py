"""What is limited stays limited when people and devices call at the same moment."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from tests.people import Outcome, Person, at_once, crowd, people
from tests.sql.races import ROUNDS, Owner, open_room, say, send_batch


def test_a_first_token_is_given_once_to_devices_that_send_at_once(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        rooms = [open_room(ann, bob) for _ in range(8)]
        devices = [Person(database, "Bob") for _ in rooms]
        owner.execute("update chat_private.settings set send_burst = 2, sends_per_second = 1")
        try:
            for _ in range(ROUNDS):
                owner.execute("delete from chat_private.rate_buckets")
                began = time.monotonic()
                outcomes = at_once(*map(partial, [say] * 8, devices, rooms))
                slugs = Counter(outcome.slug for outcome in outcomes)
                assert 2 <= slugs[None] <= 2 + time.monotonic() - began
                assert slugs[None] + slugs["slow_down"] == 8
        finally:
            for device in devices:
                device.connection.close()


def test_calls_of_all_kinds_share_one_bucket(database: str, owner: Owner) -> None:
    with people(database, "Ann", *["Bob"] * 6) as (ann, *devices):
        rooms = [open_room(ann, devices[0], role="moderator") for _ in devices]
        seqs = [say(devices[0], room).row["seq"] for room in rooms]
        owner.execute("update chat_private.settings set send_burst = 1000, sends_per_second = 1")
        for number in range(ROUNDS):
            about = {"room_id": rooms[0], "seq": seqs[0]}
            refill = "update chat_private.rate_buckets set full_at = clock_timestamp() + %s"
            owner.execute(refill, [timedelta(0)])
            devices[3].call("remove_reaction", **about, emoji="a")
            owner.execute(refill, [timedelta(seconds=998.9)])
            began = time.monotonic()
            outcomes = at_once(
                partial(say, devices[0], rooms[1], "y" * 8000),
                lambda: Outcome({}, send_batch(devices[1], rooms[2])[0]),
                partial(devices[2].attempt, "edit_message", **about, body=f"{number}"),
                partial(devices[3].attempt, "add_reaction", **about, emoji="a"),
                partial(devices[4].attempt, "create_room", name="Mine"),
                partial(devices[5].attempt, "create_invite", room_id=rooms[3]),
            )
            slugs = Counter(outcome.slug for outcome in outcomes)
            assert 1 <= slugs[None] <= 1 + time.monotonic() - began
            assert slugs[None] + slugs["slow_down"] == 6


@pytest.mark.parametrize("devices", [2, 8])
def test_calls_at_once_do_not_both_find_the_last_open_room(
    database: str, owner: Owner, devices: int
) -> None:
    with people(database, *["Ann"] * devices) as phones:
        for _ in range(ROUNDS):
            owner.execute("update chat_private.settings set open_rooms_per_person = 1000")
            rooms = [phones[0].call("create_room", name="Room")["id"] for _ in range(3)]
            phones[0].call("archive_room", room_id=rooms[2])
            owner.execute(
                "update chat_private.settings set open_rooms_per_person ="
                " 1 + (select count(*) from chat.rooms where archived_at is null)"
            )
            outcomes = at_once(
                partial(phones[0].attempt, "unarchive_room", room_id=rooms[2]),
                *(partial(phone.attempt, "create_room", name="Last") for phone in phones[1:]),
            )
            slugs = Counter(outcome.slug for outcome in outcomes)
            assert slugs == {None: 1, "payload_too_large": devices - 1}


def test_moderators_at_once_do_not_both_make_the_last_invite(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        for _ in range(ROUNDS):
            room = open_room(ann, bob, role="moderator")
            owner.execute("update chat_private.settings set open_invites_per_room = 2")
            ann.call("create_invite", room_id=room)
            outcomes = at_once(
                *(partial(person.attempt, "create_invite", room_id=room) for person in (ann, bob))
            )
            slugs = Counter(outcome.slug for outcome in outcomes)
            assert slugs == {None: 1, "payload_too_large": 1}


def test_people_at_once_do_not_both_add_the_last_emoji_or_pin(database: str, owner: Owner) -> None:
    owner.execute("update chat_private.settings set emoji_per_message = 2, pins_per_room = 1")
    with people(database, "Ann", "Bob") as (ann, bob):
        for _ in range(ROUNDS):
            room = open_room(ann, bob, role="moderator")
            seqs = [say(person, room).row["seq"] for person in (ann, bob)]
            ann.call("add_reaction", room_id=room, seq=seqs[0], emoji="a")
            reacted = at_once(
                partial(ann.attempt, "add_reaction", room_id=room, seq=seqs[0], emoji="b"),
                partial(bob.attempt, "add_reaction", room_id=room, seq=seqs[0], emoji="c"),
            )
            pinned = at_once(
                partial(ann.attempt, "pin_message", room_id=room, seq=seqs[0]),
                partial(bob.attempt, "pin_message", room_id=room, seq=seqs[1]),
            )
            for outcomes in (reacted, pinned):
                slugs = Counter(outcome.slug for outcome in outcomes)
                assert slugs == {None: 1, "payload_too_large": 1}


def test_devices_at_once_put_nobody_more_into_rooms_than_there_are_tokens(
    database: str, owner: Owner
) -> None:
    owner.execute("update chat_private.settings set members_added_per_day = 1")
    with people(database, "Bob", *["Ann"] * 4) as (bob, *phones):
        for _ in range(ROUNDS):
            owner.execute("delete from chat_private.rate_buckets")
            outcomes = at_once(
                *(
                    partial(phone.attempt, "create_room", name="Room", member_ids=[bob.id])
                    for phone in phones
                )
            )
            slugs = Counter(outcome.slug for outcome in outcomes)
            assert slugs == {None: 1, "slow_down": 3}


def test_devices_at_once_say_one_thing_in_slow_mode(database: str, owner: Owner) -> None:
    with people(database, "Ann", *["Bob"] * 6) as (ann, *devices):
        for _ in range(ROUNDS):
            room = open_room(ann, devices[0])
            seq = say(devices[0], room).row["seq"]
            ann.call("update_room", room_id=room, slow_mode_seconds=60)
            # What was said before slow mode began counts as well.
            owner.execute("delete from chat_private.rate_buckets where bucket = %s", [str(room)])
            outcomes = at_once(
                *(partial(say, device, room) for device in devices[:2]),
                *(
                    partial(device.attempt, "edit_message", room_id=room, seq=seq, body="edited")
                    for device in devices[2:4]
                ),
                *(
                    partial(lambda who, where: Outcome({}, send_batch(who, where)[0]), device, room)
                    for device in devices[4:]
                ),
            )
            done = [outcome for outcome in outcomes if outcome.done]
            # (The second of two equal edits finds the first, and that is no edit.)
            assert 1 <= len(done) <= 2
            numbers = owner.execute("select rev from chat.rooms where id = %s", [room]).fetchone()
            assert numbers == (4,)


def test_an_invite_lets_in_no_more_than_it_says(database: str, owner: Owner) -> None:
    with people(database, "Ann", *crowd(8)) as (ann, *guests):
        for most in range(1, 8):
            for _ in range(4):
                room = open_room(ann)
                token = ann.call("create_invite", room_id=room, max_uses=most)["token"]
                outcomes = at_once(
                    *(partial(guest.attempt, "accept_invite", token=token) for guest in guests)
                )
                slugs = Counter(outcome.slug for outcome in outcomes)
                assert slugs == {None: most, "invite_expired": 8 - most}
                found = owner.execute(
                    "select i.used_count, r.member_count from chat.invites as i"
                    " join chat.rooms as r on r.id = i.room_id where r.id = %s",
                    [room],
                ).fetchone()
                assert found == (most, most + 1)
