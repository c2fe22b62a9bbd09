"""``parley audit``, holds through the API, and refusals that ``parley doctor`` finds in the log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from typer.testing import CliRunner, Result

import parley
from parley.auditing import read_audit, verify
from parley.cli import app
from parley.errors import AuditUnreadable, NotAllowed
from parley.finding import Finding
from parley.stack import Status
from parley.stack.doctor import MANY_REFUSALS, describe_refusals
from tests.e2e.chat_people import listening, room_of
from tests.people import people
from tests.sql.races import open_room

FORGE = """
alter table chat_private.audit_log disable trigger _100_check;
update chat_private.audit_log set actor_id = gen_random_uuid() where seq = 2;
alter table chat_private.audit_log enable trigger _100_check;
"""


def run(database: str, *options: str) -> Result:
    """Run ``parley audit`` on a database."""
    return CliRunner().invoke(app, ["audit", "--db-url", database, *options])


async def test_a_server_removes_somebody_for_a_person_and_reads_that_in_the_audit(
    stack: Status,
) -> None:
    async with (
        listening(stack, "Ann", "Bob") as (ann, bob),
        parley.server(stack.api_url, stack.secret_key) as server,
        httpx.AsyncClient(
            base_url=stack.api_url,
            headers={"apikey": stack.secret_key, "content-profile": "chat"},
        ) as client,
    ):

        async def call(name: str, **arguments: object) -> Any:
            answer = await client.post(f"/rest/v1/rpc/{name}", json=arguments)
            assert answer.status_code == 200, answer.text
            return answer.json()

        room_id = UUID(await room_of(ann, bob))
        held = await call("set_hold", kind="room", target_id=str(room_id), reason="case 7")
        bobs = server.acting_as(bob.user_id)
        message = await bobs.send_message(room_id, "held", uuid4())
        assert (await bobs.delete_message(room_id, message.seq)).body == ""
        kept = await call("read_held", hold_id=held["hold_id"])
        assert [each["body"] for each in kept] == ["held"]
        with pytest.raises(NotAllowed):
            await bobs.set_member_role(room_id, UUID(ann.user_id), "member")
        await server.acting_as(ann.user_id).remove_member(room_id, UUID(bob.user_id))
        await call("release_hold", hold_id=held["hold_id"])

        entries = await call("list_audit", page_size=10)
        ours = [each for each in entries if str(room_id) in json.dumps(each)]
        assert [
            (each["action"], each["via"], each["actor_id"], each["subject_id"]) for each in ours
        ] == [
            ("hold_released", "server", None, None),
            ("member_removed", "server", ann.user_id, bob.user_id),
            ("held_read", "server", None, None),
            ("hold_set", "server", None, None),
        ]
        verdict = await call("verify_audit", known_head=f"{ours[0]['seq']}:{ours[0]['hash']}")
        assert verdict["is_intact"] and verdict["contains_known_head"]


def test_the_command_prints_every_entry_and_says_what_was_changed(database: str) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_room(ann, bob)
        for _ in range(101):
            for role in ("moderator", "member"):
                ann.call("set_member_role", room_id=room, user_id=bob.id, role=role)
    done = run(database)
    assert done.exit_code == 0, done.stderr
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["seq"] for each in entries] == list(range(len(entries), 0, -1))
    assert entries == list(read_audit(database))
    head = f"{entries[0]['seq']}:{entries[0]['hash']}"
    assert head in done.stderr and "All 202 entries" in done.stderr
    assert verify(database, head).contains_known_head
    with pytest.raises(AuditUnreadable) as refused:
        verify(database, "7")
    assert "<seq>:<hash>" in refused.value.hint
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(FORGE)
    with pytest.raises(AuditUnreadable, match="Entry 2 of the audit does not follow from entry 1"):
        list(read_audit(database))
    told = run(database, "--json")
    assert told.exit_code == 1 and json.loads(told.stdout)["broken_at"] == 2
    other = f"{entries[0]['seq']}:{'0' * 64}"
    assert verify(database, other).contains_known_head is False


def test_a_refused_attempt_is_undone_and_stays_in_the_log(stack: Status, database: str) -> None:
    log = Path(stack.data) / "logs" / "postgres.log"
    with people(database, "Ann", "Eve") as (ann, eve):
        room = open_room(ann, eve)

        def attempts(finding: Finding) -> int:
            found = finding.detail.partition(f"by {eve.id}")
            return int(found[0].rpartition(", ")[2].split()[0]) if found[1] else 0

        def count() -> Finding:
            return describe_refusals(log, datetime.now(UTC))

        before = attempts(count())
        for _ in range(MANY_REFUSALS):
            tried = eve.attempt("remove_member", room_id=room, user_id=ann.id)
            assert tried.slug == "not_allowed"
        found = count()
        assert attempts(found) == before + MANY_REFUSALS and not found.good
        assert str(log) in found.hint
    with psycopg.connect(database) as owner:
        query = "select from chat_private.audit_log where actor_id = %s"
        assert owner.execute(query, [eve.id]).rowcount == 0
