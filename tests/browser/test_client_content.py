"""What one member writes to break the browsers of others, as far as the server lets them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, LiteralString
from unicodedata import normalize
from uuid import uuid4

import psycopg
import pytest

from parley.stack import Status
from tests.browser.chat_people import ChatTab, act_as, chat
from tests.browser.chromium import Device
from tests.chaos.sync_attacker import LARGE_ATTACHMENTS, LONGEST_BODY, MARKS, POISON, WIDE
from tests.e2e.sync_people import sign_up
from tests.hostile import HOSTILE

pytestmark = pytest.mark.lasts(15)

TRAPS = ("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then", "length")
"""What objects of JavaScript have without being told."""
MARKUP = "<img src=x onerror='window.hit = 1'><script>window.hit = 1</script>"
WHOLE = HOSTILE.encode("utf-8", "ignore").decode()
"""Without the half of a pair, which Postgres does not store."""
NESTED = json.loads('{"a": ' + "[" * 14 + "]" * 14 + "}")
TRAPPED = json.dumps({each: {"__proto__": each, "then": 1} for each in TRAPS})
BLANK = "\u2800 \u3164 \u00ad"
BODIES = (
    WHOLE,
    MARKUP,
    *TRAPS,
    WIDE * LONGEST_BODY,
    "".join(MARKS) * (LONGEST_BODY // 40),
    "x" * LONGEST_BODY,
    BLANK,
    "都" * LONGEST_BODY,
    "\uffff\ufffe\U0010ffff",
)
METADATA = (
    TRAPPED,
    json.dumps(NESTED),
    '{"n": 10000000000000000000, "m": -9007199254740991, "e": 1e-19, "z": -0.0}',
    json.dumps({str(number): number for number in range(150)}),
    json.dumps({WHOLE[:16]: WHOLE}),
)
"""Of messages, rooms and profiles."""
ATTACHMENTS = (*POISON, f"[{TRAPPED}]", json.dumps([NESTED]), json.dumps(LARGE_ATTACHMENTS))
EMOJI = (*TRAPS, "\ufe0f", WIDE * 2, normalize("NFC", "a" + "".join(MARKS[:6])), "🏴‍☠️")
"""Only the last two are single characters."""


class Member:
    """Somebody who acts over SQL, with the rights of the API."""

    def __init__(self, connection: psycopg.Connection[Any], user_id: str) -> None:
        self.user_id = user_id
        self.refused: Counter[str] = Counter()
        """How often each call was refused, by the name of its function."""
        self._connection = connection

    def attempt(self, call: LiteralString, *arguments: Any) -> list[Any]:
        """One call; no rows where it is refused."""
        try:
            with self._connection.transaction():
                act_as(self._connection, self.user_id)
                return self._connection.execute("select * from " + call, arguments).fetchall()
        except psycopg.Error as error:
            assert error.diag.message_primary == "invalid_input"
            self.refused[call.split("(", maxsplit=1)[0]] += 1
            return []

    def write_all(self, room: str, other: str) -> None:
        """Everything that may break somebody: messages in one room, the rest about the other."""
        for body in BODIES:
            self.attempt("chat.send_message(%s, %s, %s)", room, body, str(uuid4()))
            self.attempt("chat.update_profile(%s, label => %s)", body[:80], body[:40])
            self.attempt(
                "chat.update_room(%s, name => %s, topic => %s)", other, body[:120], body[:500]
            )
        for each in METADATA:
            send = "chat.send_message(%s, 'metadata', %s, metadata => %s::jsonb)"
            self.attempt(send, room, str(uuid4()), each)
            self.attempt("chat.edit_message(%s, 1, 'edited', metadata => %s::jsonb)", room, each)
            self.attempt("chat.update_profile(metadata => %s::jsonb)", each)
            self.attempt("chat.update_room(%s, metadata => %s::jsonb)", other, each)
        for each in ATTACHMENTS:
            send = "chat.send_message(%s, 'attachments', %s, attachments => %s::jsonb)"
            self.attempt(send, room, str(uuid4()), each)
        for emoji in EMOJI:
            self.attempt("chat.add_reaction(%s, 1, %s)", room, emoji)


async def test_whatever_a_member_writes_the_copies_of_others_go_on_and_equal_the_server(
    device: Device, stack: Status, tmp_path: Path
) -> None:
    bob = await chat(device, await sign_up(stack, "Bob"), stack)
    behind = ChatTab(await device.open_tab(), bob.account, stack)
    await behind.begin(signs_in=False)
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        mal = Member(connection, (await sign_up(stack, "Mal")).user_id)
        room, other = [
            str(
                mal.attempt("chat.create_room(%s, member_ids => %s)", name, [bob.account.user_id])[
                    0
                ][0]
            )
            for name in (MARKUP, "__proto__")
        ]
        await bob.call("sync")
        await bob.tab.run("room => { parley.open(room) }", room)
        mal.write_all(room, other)
        mal.attempt("chat.send_message(%s, 'Sorry', %s)", room, str(uuid4()))
    await bob.sees(room, "Sorry")
    await behind.sees(room, "Sorry")
    # What the server lets through is there as it was written, in both tabs.
    kept = [body for body in BODIES if body != BLANK]
    kept += ["metadata"] * len(METADATA) + ["attachments"] * (len(ATTACHMENTS) - len(POISON))
    kept[0] = "edited"
    for tab in (bob, behind):
        messages = await tab.call("messages", room)
        assert [each["body"] for each in messages] == [*kept, "Sorry"]
        assert not any(each["is_unreadable"] for each in messages)
    assert sorted(messages[0]["reactions"]) == sorted(EMOJI[-2:])
    refused = {
        "chat.send_message": 1 + len(POISON),
        "chat.update_profile": 2,
        "chat.update_room": 2,
        "chat.add_reaction": len(EMOJI) - 2,
    }
    assert mal.refused == refused
    for word in TRAPS:
        assert word in [each["body"] for each in await bob.call("search", word)]
    # Bob can answer with anything as well.
    for emoji in TRAPS:
        await bob.call("react", messages[1], emoji)
        assert len(await behind.call("messages", room)) == len(messages)
    await bob.call("settled")
    assert [each["reason"] for each in await bob.call("outbox")] == ["invalid_input"] * len(TRAPS)
    await bob.call("send", room, "Never mind")
    await bob.call("settled")
    await bob.call("sync")
    assert not await bob.compare(tmp_path)
    status = await bob.tab.run("() => parley.status")
    assert (status["state"], status["fault"], status["is_behind"]) == ("live", None, False)
    # (The browser notes what was refused itself.)
    assert len(bob.tab.complaints) == len(TRAPS)
    bob.tab.complaints.clear()
