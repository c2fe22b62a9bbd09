"""What the planner does at size: 1,000 rooms of one person, 5,000 people in one room."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from parley.stack import Status
from tests.people import id_of

CROWD = Path(__file__).with_name("crowd.sql").read_text()
# Planned for the values that are given, and for any.
MODES = ("force_custom_plan", "force_generic_plan")
# One row each: nothing to look up.
SMALL_TABLES = {"settings", "tenants"}


@dataclass
class Plans:
    """Runs statements as Ann and keeps the plan of every statement inside of them."""

    connection: psycopg.Connection[Any]
    caught: list[dict[str, Any]] = field(default_factory=list)

    def run(self, statement: str, modes: Sequence[str] = MODES) -> list[dict[str, Any]]:
        """Run a statement once in each mode of planning; return every scan it made."""
        scans: list[dict[str, Any]] = []
        for mode in modes:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(f"set local plan_cache_mode = {mode}")
                self.caught.clear()
                self.connection.execute(statement.encode())
                for plan in self.caught:
                    scans += [scan for scan in nodes(plan["Plan"]) if is_ours(scan)]
        assert scans, f"{statement} reads nothing"
        return scans


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def is_ours(node: dict[str, Any]) -> bool:
    return (
        "Relation Name" in node
        and node["Node Type"].endswith("Scan")
        and node["Schema"] in {"chat", "chat_private"}
        and node["Relation Name"] not in SMALL_TABLES
    )


def rows_read(scan: dict[str, Any]) -> float:
    """Return how many rows a scan has looked at, in all of its loops."""
    removed = scan.get("Rows Removed by Filter", 0) + scan.get("Rows Removed by Index Recheck", 0)
    return float((scan["Actual Rows"] + removed) * scan["Actual Loops"])


@contextmanager
def watched(url: str, stack: Status) -> Iterator[Plans]:
    """Fill a migrated database with a crowd, and watch what the planner does in it."""
    name = conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("select tests.make_people('Ann', 'New')")
        owner.execute(CROWD.encode())
    with psycopg.connect(stack.admin_db_url, dbname=name, autocommit=True) as connection:
        plans = Plans(connection)
        connection.add_notice_handler(
            lambda notice: plans.caught.extend(read_plan(str(notice.message_primary)))
        )
        connection.execute("load 'auto_explain'")
        for setting, value in {
            "auto_explain.log_min_duration": "0",
            "auto_explain.log_nested_statements": "on",
            "auto_explain.log_analyze": "on",
            "auto_explain.log_timing": "off",
            "auto_explain.log_verbose": "on",
            "auto_explain.log_format": "json",
            "auto_explain.log_level": "notice",
            "client_min_messages": "notice",
            "request.jwt.claims": json.dumps({"sub": str(id_of("Ann")), "role": "authenticated"}),
            "role": "authenticated",
        }.items():
            connection.execute("select set_config(%s, %s, false)", [setting, value])
        yield plans


@pytest.fixture
def plans(database: str, stack: Status) -> Iterator[Plans]:
    """The plans of what Ann does in a database of this test's own."""
    with watched(database, stack) as plans:
        yield plans


def read_plan(message: str) -> list[dict[str, Any]]:
    """Return the plan in a notice of auto_explain, if it is one."""
    _, found, plan = message.partition("plan:\n")
    return [json.loads(plan)] if found else []


ROOM = "md5('room 7')::uuid"
HALL = "md5('room 1')::uuid"
ANOTHER = "md5('room 3000')::uuid"
TENANT = "'00000000-0000-0000-0000-000000000001'::uuid"
SOMEBODY = "(select tests.id_of('P4999'))"


def pull(rooms: str) -> str:
    """Pull rooms, up to twenty rows."""
    return (
        f"select chat.pull_changes(jsonb_build_object('user', 990, 'rooms', {rooms}, 'limit', 20,"
        " 'window', 20))"
    )


# What is called, and how many rows no single scan may look at more than.
CALLS: dict[str, tuple[str, int]] = {
    "send": (f"select chat.send_message({ROOM}, 'x', gen_random_uuid())", 20),
    "send with a mention": (
        f"select chat.send_message({ROOM}, 'x', gen_random_uuid(), 9, array[{SOMEBODY}])",
        20,
    ),
    "send in a large room": (f"select chat.send_message({HALL}, 'x', gen_random_uuid())", 20),
    "mention somebody in a large room": (
        f"select chat.send_message({HALL}, 'x', gen_random_uuid(), null, array[{SOMEBODY}])",
        20,
    ),
    "send a batch": (
        "select chat.send_messages(jsonb_build_array("
        f" jsonb_build_object('room_id', {ROOM}, 'client_id', gen_random_uuid(), 'body', 'x'),"
        f" jsonb_build_object('room_id', {HALL}, 'client_id', gen_random_uuid(), 'body', 'y')))",
        20,
    ),
    "send elsewhere": (
        f"select tests.refusal(format('select chat.send_message(%L, %L, %L)', {ANOTHER}, 'x',"
        " gen_random_uuid()))",
        20,
    ),
    "edit": (
        f"select chat.edit_message({ROOM}, (chat.send_message({ROOM}, 'x', gen_random_uuid())).seq,"
        " 'y')",
        20,
    ),
    "mention somebody in an edit": (
        f"select chat.edit_message({ROOM}, (chat.send_message({ROOM}, 'x', gen_random_uuid())).seq,"
        f" 'y', mentions => array[{SOMEBODY}])",
        20,
    ),
    "delete": (f"select chat.delete_message({ROOM}, 9)", 20),
    "react": (f"select chat.add_reaction({ROOM}, 9, '🎉')", 20),
    "pin": (f"select chat.pin_message({ROOM}, 9)", 20),
    "page": (f"select chat.list_messages({ROOM})", 60),
    "page of a large room": (f"select chat.list_messages({HALL}, before => 5000)", 60),
    "page around": (f"select chat.list_messages({HALL}, around => 5000)", 60),
    "thread": (f"select chat.list_thread({HALL}, 4)", 60),
    "mark": (f"select chat.mark_read({ROOM}, 9)", 20),
    "mark in a large room": (f"select chat.mark_read({HALL}, 9999)", 20),
    "receipts": (f"select chat.list_receipts({ROOM}, 5)", 60),
    "notifications": ("select chat.list_notifications()", 60),
    "mark notifications": ("select chat.mark_notifications_read(20)", 60),
    "members": (f"select chat.list_members({HALL})", 60),
    "profiles": (f"select chat.list_profiles(array[{SOMEBODY}])", 20),
    "people by a beginning that all have": ("select chat.search_profiles('p')", 60),
    "people of a tenant": (f"select chat.search_profiles('p49', {TENANT})", 60),
    "people whom nobody knows": ("select chat.search_profiles('nobody')", 20),
    "heads": ("select chat.list_heads()", 1000),
    "inbox": ("select chat.list_rooms()", 1000),
    # A window comes with 200 people, and a pull looks at one row more of each kind than it answers.
    "pull a large room": (pull(f"jsonb_build_object({HALL}, 100)"), 200),
    "start with a large room": (pull(f"jsonb_build_object({HALL}, null)"), 210),
    "count in a large room": (
        pull(f"jsonb_build_object({HALL}, 10000), 'first', jsonb_build_object({HALL}, 9000)"),
        210,
    ),
    "pull names": (
        "select chat.pull_changes(jsonb_build_object('user', 990, 'limit', 20,"
        " 'seen', pg_current_snapshot()::text))",
        210,
    ),
    "create": (f"select chat.create_room('x', member_ids => array[{SOMEBODY}])", 20),
    "open direct": (f"select chat.open_direct({SOMEBODY})", 20),
    "add": (f"select chat.add_member({ROOM}, {SOMEBODY})", 20),
    "add to a large room": (f"select chat.add_member({HALL}, tests.id_of('New'))", 20),
    "remove": (
        f"select chat.remove_member({ROOM}, (select min(user_id::text)::uuid from chat.room_members"
        f" where room_id = {ROOM} and role = 'member'))",
        20,
    ),
    "remove from a large room": (f"select chat.remove_member({HALL}, {SOMEBODY})", 20),
    "promote": (f"select chat.set_member_role({HALL}, {SOMEBODY}, 'admin')", 20),
    "mute": (f"select chat.mute_member({HALL}, {SOMEBODY})", 20),
    "ban": (f"select chat.ban_member({HALL}, {SOMEBODY})", 20),
    "invite": (f"select chat.create_invite({ROOM})", 20),
    "invite into the tenant": (f"select chat.create_tenant_invite({TENANT})", 20),
    "come into the tenant": (
        "select tests.refusal('select chat.accept_tenant_invite(''no such token'')')",
        20,
    ),
    "change a role in the tenant": (
        f"select chat.set_tenant_member_role({TENANT}, {SOMEBODY}, 'admin')",
        20,
    ),
    "ban from the tenant": (f"select chat.ban_tenant_member({TENANT}, {SOMEBODY})", 20),
    "explain a tenant": (
        f"select chat.explain_access('tenant:' || {TENANT} || ':dashboard', {SOMEBODY})",
        20,
    ),
    "prefer": (f"select chat.set_room_preferences({ROOM}, 'none')", 20),
    "clear": (f"select chat.clear_history({ROOM})", 20),
    "explain": (f"select chat.explain_access('room:' || {HALL} || ':1')", 20),
    # Through the policies, as PostgREST reads.
    "read a room": (f"select * from chat.rooms where id = {ROOM}", 20),
    "read a room of others": (f"select * from chat.rooms where id = {ANOTHER}", 20),
    "read members": (f"select * from chat.room_members where room_id = {ROOM}", 20),
    "read messages": (
        f"select * from chat.messages where room_id = {HALL} order by seq desc limit 50",
        60,
    ),
    "read messages of others": (f"select * from chat.messages where room_id = {ANOTHER}", 20),
    "read reactions": (f"select * from chat.reactions where room_id = {ROOM} and seq = 9", 20),
    "read receipts": (f"select * from chat.receipts where room_id = {ROOM}", 20),
    "read notifications": (
        "select * from chat.notifications where user_id = (select auth.uid()) and seq > 1950",
        60,
    ),
    "read marks": ("select * from chat.marks where user_id = (select auth.uid())", 1000),
    "read bans": (f"select * from chat.bans where room_id = {ROOM}", 20),
    "read invites": (f"select * from chat.invites where room_id = {ROOM}", 20),
    "read a profile": (f"select * from chat.profiles where user_id = {SOMEBODY}", 20),
    "read a tenant member": (
        f"select * from chat.tenant_members where user_id = {SOMEBODY}",
        20,
    ),
}


# The probe that Realtime makes for a join: would they see a row on this topic?
TOPICS = ["'room:' || md5('room 1')::uuid || ':1'", "'user:' || tests.id_of('Ann') || ':1'"]
CALLS |= {
    f"join {topic}": (
        f"select set_config('realtime.topic', {topic}, true);"
        f" select id from realtime.messages where topic = {topic}",
        1,
    )
    for topic in TOPICS
}


def test_what_people_do_is_looked_up_and_never_searched_for(plans: Plans) -> None:
    offenders = []
    for what, (statement, most) in CALLS.items():
        for scan in plans.run(statement):
            if rows_read(scan) > most:
                where = f"{scan['Node Type']} on {scan['Relation Name']}"
                offenders.append(f"{what}: {where}, {rows_read(scan):.0f} rows")
    assert not offenders, "\n".join(dict.fromkeys(offenders))
