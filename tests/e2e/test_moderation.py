"""Reports and the project's own rule, through the front door and over sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from parley.errors import MessageRefused, ReportNotFound
from parley.stack import Status
from tests.e2e.chat_people import Door, Event, Member, listening, room_of

RULE = """
create schema house;
create function house.check(
  room_id uuid, sender_id uuid, body text, attachments jsonb, metadata jsonb
)
returns text language sql stable
return case when body ~ 'casino' then 'No advertising.' end;
revoke execute on function house.check from public;
update chat_private.settings set content_check = 'house.check';
"""
NO_RULE = """
update chat_private.settings set content_check = null;
drop schema if exists house cascade;
"""


@pytest.fixture
def rule(stack: Status) -> Iterator[None]:
    """A rule against one word, for as long as a test takes."""
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute(RULE)
        try:
            yield
        finally:
            connection.execute(NO_RULE)


def ends_in(event: Event) -> list[dict[str, Any]]:
    """The data of the notifications in a broadcast that tell the end of a report."""
    rows = (event.payload.get("rows") or {}).get("notifications", [])
    return [row["data"] for row in rows if row["kind"] == "report"]


async def test_the_reporter_of_a_message_is_told_what_was_done(stack: Status) -> None:
    async with listening(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        room_id = await room_of(ann, bob, cat)
        await bob.send(room_id, "an insult")
        report = await cat.call("report_message", room_id=room_id, seq=1, reason="rude")
        assert (report["body"], report["user_id"]) == ("an insult", bob.user_id)
        await bob.call("edit_message", room_id=room_id, seq=1, body="nothing")
        where = {"tenant_id": report["tenant_id"]}
        assert await bob.call("list_reports", **where) == []
        (listed,) = [
            each
            for each in await ann.call("list_reports", **where)
            if each["report_id"] == report["report_id"]
        ]
        assert (listed["body"], listed["resolved_at"]) == ("an insult", None)
        done = {**where, "report_id": report["report_id"], "resolution": "removed"}
        with pytest.raises(ReportNotFound):
            await cat.call("resolve_report", **done)
        await ann.call("resolve_report", **done)
        event = await cat.hears(lambda each: bool(ends_in(each)))
        assert [data["resolution"] for data in ends_in(event)] == ["removed"]


async def test_a_rule_refuses_in_words_and_in_a_batch(
    people: list[Member], door: Door, rule: None
) -> None:
    ann, *_ = people
    room_id = await room_of(ann)
    said = {"room_id": room_id, "body": "come to the casino", "client_id": str(uuid4())}
    with pytest.raises(MessageRefused, match="No advertising"):
        await ann.call("send_message", **said)
    answer = await door.call("send_message", said, token=ann.token)
    assert (answer.status, answer.body["message"]) == (422, "message_refused")
    fine = {"room_id": room_id, "body": "come to the park", "client_id": str(uuid4())}
    outcomes = await ann.call("send_messages", items=[said, fine])
    assert [(each["outcome"], each["reason"]) for each in outcomes] == [
        ("rejected", "message_refused"),
        ("sent", None),
    ]
    with pytest.raises(MessageRefused):
        await ann.call("edit_message", room_id=room_id, seq=1, body="a casino")
    assert (await ann.send(room_id, "a walk"))["seq"] == 2
