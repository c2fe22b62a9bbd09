"""Every row has one owner, a room, a person or a tenant; what happens often asks for one of them.

So Parley can be divided, into partitions or over machines. What is not like that is listed here by
name; ``docs/scale.md`` says of each what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
Connection = psycopg.Connection[Any]

OWNERS = {"room_id", "user_id", "tenant_id", "owner_id"}
"""The columns that say whose a row is; an ``owner_id`` is a person or a tenant."""
SMALL = {
    "chat_private.account_opening": "one row",
    "chat_private.check_counts": "one row",
    "chat_private.file_sweep": "one row",
    "chat_private.maintenance_runs": "one row",
    "chat_private.note_folding": "one row",
    "chat_private.settings": "one row",
    "chat_private.streamed_tables": "one row for each table of the adopter's",
    "chat_private.foldings": "a table of letters",
    "chat_private.walks": "one row for each kind of owner",
    "chat_private.watched_tables": "one row for each table of the adopter's",
}
"""Tables without an owner that every machine can have whole."""
UNOWNED = {
    "chat_private.audit_log": "one chain of hashes, written by maintenance",
    "chat_private.failed_checks": "a log",
    "chat_private.slow_checks": "a log",
    "chat_private.lost_broadcasts": "a log",
    "chat_private.stats_touched": "by transaction; a row lasts as long as it",
    "chat_private.push_outbox": "a queue in the order of time, for whoever sends pushes",
    "chat_private.file_queue": "a queue, by the path of the file",
    "chat_private.table_owners": "by the table, then by the owner",
    "chat_private.holds": "by its own id, read by erasures and purges",
    "chat_private.invite_tokens": "by the secret in the link; nobody who opens it knows the room",
    "chat_private.tenant_invite_tokens": "by the secret in the link, as those of rooms",
}
"""Tables whose rows are found without naming an owner, and why."""
UNIQUE_ELSEWHERE = {
    "chat.attachments_by_path": "a path begins with its room",
    "chat.direct_rooms_are_unique": "a room of two people, who do not know its id yet",
    "chat_private.push_tokens_are_of_one_device": "a device that changed hands",
}
"""Unique indexes of owned tables that do not lead with the owner."""
CROSSING_KEYS = {
    "chat.bans.bans_user_id_fkey",
    "chat.blocks.blocks_blocked_id_fkey",
    "chat.marks.marks_room_id_fkey",
    "chat.reactions.reactions_user_id_fkey",
    "chat.receipts.receipts_user_id_fkey",
    "chat.room_members.room_members_user_id_fkey",
    "chat.room_preferences.room_preferences_room_id_fkey",
    "chat.rooms.rooms_tenant_id_fkey",
    "chat.tenant_invites.tenant_invites_room_id_fkey",
    "chat.tenant_members.tenant_members_user_id_fkey",
}
"""Foreign keys from a row of one owner to one of another: each to the owner itself."""

TABLES = """
select c.oid::regclass::text as name, case
  when c.oid = 'chat.rooms'::regclass then 'room_id' else a.attname::text
end as owner
from pg_class as c
left join pg_index as i on i.indrelid = c.oid and i.indisprimary
left join pg_attribute as a on a.attrelid = c.oid and a.attnum = i.indkey[0]
where c.relnamespace in ('chat'::regnamespace, 'chat_private'::regnamespace)
  and c.relkind in ('r', 'p')
"""
UNIQUES = """
select i.indexrelid::regclass::text, i.indrelid::regclass::text, a.attname::text
from pg_index as i
join pg_class as c on c.oid = i.indrelid
left join pg_attribute as a on a.attrelid = c.oid and a.attnum = i.indkey[0]
where c.relnamespace in ('chat'::regnamespace, 'chat_private'::regnamespace)
  and c.relkind in ('r', 'p') and i.indisunique
"""
KEYS = """
select
  k.conrelid::regclass || '.' || k.conname, k.conrelid::regclass::text, ours.attname::text,
  k.confrelid::regclass::text, theirs.attname::text
from pg_constraint as k
join pg_attribute as ours on ours.attrelid = k.conrelid and ours.attnum = k.conkey[1]
join pg_attribute as theirs on theirs.attrelid = k.confrelid and theirs.attnum = k.confkey[1]
where k.contype = 'f' and k.conparentid = 0
  and k.connamespace in ('chat'::regnamespace, 'chat_private'::regnamespace)
"""
TOUCHED = """
select
  coalesce(i.inhparent, s.relid)::regclass::text, s.relid::regclass::text,
  coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0), s.n_tup_ins + s.n_tup_upd + s.n_tup_del
from pg_stat_xact_user_tables as s
left join pg_inherits as i on i.inhrelid = s.relid
where s.schemaname in ('chat', 'chat_private', 'chat_partitions')
"""
"""Scans of each table or partition in this transaction, and rows that were written."""


PREPARE = """
set local search_path = public, extensions;
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(r.room_id, 'hello ' || n, gen_random_uuid())
from tests.rooms as r, generate_series(1, 5) as n;
select tests.act_as('Abe');
select chat.send_message(tests.room('trip'), 'mine', gen_random_uuid());
create function pg_temp.mine() returns bigint language sql as $$
  select max(m.seq) from chat.messages as m
  where m.room_id = tests.room('trip') and m.sender_id = tests.id_of('Abe')
$$;
"""
"""Abe is an admin of the room trip, where Cat and others are, and said something there."""
CALLS = {
    "send_message": "chat.send_message(tests.room('trip'), 'hello', gen_random_uuid())",
    "send_message with a mention": "chat.send_message(tests.room('trip'), 'hello',"
    " gen_random_uuid(), mentions => array[tests.id_of('Cat')])",
    "edit_message": "chat.edit_message(tests.room('trip'), pg_temp.mine(), 'better')",
    "delete_message": "chat.delete_message(tests.room('trip'), pg_temp.mine())",
    "add_reaction": "chat.add_reaction(tests.room('trip'), pg_temp.mine(), '👍')",
    "pin_message": "chat.pin_message(tests.room('trip'), pg_temp.mine())",
    "mark_read": "chat.mark_read(tests.room('trip'), pg_temp.mine())",
    "list_messages": "chat.list_messages(tests.room('trip'))",
    "list_thread": "chat.list_thread(tests.room('trip'), 2)",
    "list_members": "chat.list_members(tests.room('trip'))",
    "list_receipts": "chat.list_receipts(tests.room('trip'), pg_temp.mine())",
    "search_messages in a room": "chat.search_messages('hello', tests.room('trip'))",
    "room_checksum": "chat.room_checksum(tests.room('trip'), 1)",
    "update_room": "chat.update_room(tests.room('trip'), topic => 'Where to')",
    "mute_member": "chat.mute_member(tests.room('trip'), tests.id_of('Cat'))",
    "set_room_preferences": "chat.set_room_preferences(tests.room('trip'), pinned => true)",
    "heartbeat": "chat.heartbeat('phone', tests.room('trip'))",
    "list_notifications": "chat.list_notifications()",
    "add_member": "chat.add_member(tests.room('trip'), tests.id_of('Dan'))",
    "remove_member": "chat.remove_member(tests.room('trip'), tests.id_of('Cat'))",
    "leave_room": "chat.leave_room(tests.room('trip'))",
    "create_room": "chat.create_room('New', member_ids => array[tests.id_of('Cat')])",
    "open_direct": "chat.open_direct(tests.id_of('Cat'))",
    "list_rooms": "chat.list_rooms()",
    "list_heads": "chat.list_heads()",
    "pull_changes": "chat.pull_changes('{}')",
    "search_messages": "chat.search_messages('hello')",
}
"""What an app calls often, and what it calls when people come and go."""
MEMBERS, MESSAGES, BLOCKS = "chat.room_members", "chat.messages", "chat_private.search_blocks"
READ_ACROSS = {
    "heartbeat": {MEMBERS},
    "list_notifications": {MEMBERS},
    "add_member": {MEMBERS},
    "remove_member": {MEMBERS},
    "leave_room": {MEMBERS},
    "create_room": {MEMBERS},
    "open_direct": {MEMBERS},
    "list_rooms": {MEMBERS, MESSAGES},
    "list_heads": {MEMBERS},
    "pull_changes": {MEMBERS},
    "search_messages": {MEMBERS, MESSAGES, BLOCKS},
}
"""Tables of which a call reads more than one owner, because a person's rooms are many."""
BUCKETS, STREAMS = "chat_private.rate_buckets", "chat_private.user_streams"
OUTBOX, AUDIT = "chat_private.push_outbox", "chat_private.audit_log"
NOTIFICATIONS = "chat.notifications"
WRITTEN_ACROSS = {
    "send_message": {BUCKETS, OUTBOX},
    "send_message with a mention": {BUCKETS, OUTBOX, STREAMS, NOTIFICATIONS},
    "edit_message": {BUCKETS},
    "delete_message": {BUCKETS},
    "add_reaction": {BUCKETS},
    "pin_message": {BUCKETS},
    "mark_read": {BUCKETS, STREAMS, "chat.marks"},
    "update_room": {BUCKETS, AUDIT},
    "mute_member": {BUCKETS, AUDIT},
    "add_member": {BUCKETS, STREAMS, NOTIFICATIONS},
    "remove_member": {BUCKETS, STREAMS, AUDIT},
    "leave_room": {BUCKETS, STREAMS},
    "create_room": {BUCKETS, STREAMS, NOTIFICATIONS},
    "open_direct": {BUCKETS, STREAMS},
}
"""Tables of people, and queues, that a call writes in one transaction with those of a room."""


@pytest.fixture
def connection(partitioned: str) -> Iterator[Connection]:
    """A transaction in a database with partitioned tables, taken back afterwards."""
    with psycopg.connect(partitioned) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def owners(connection: Connection) -> dict[str, str]:
    """The column of each table that says whose a row is, where there is one."""
    found = connection.execute(TABLES).fetchall()
    return {name: column for name, column in found if column in OWNERS}


def test_every_table_leads_with_its_owner(connection: Connection, owners: dict[str, str]) -> None:
    names = {name for name, _ in connection.execute(TABLES).fetchall()}
    assert names - owners.keys() == SMALL.keys() | UNOWNED.keys()
    assert len(owners) > 25


def test_every_unique_index_leads_with_the_owner(
    connection: Connection, owners: dict[str, str]
) -> None:
    found = connection.execute(UNIQUES).fetchall()
    elsewhere = {
        index
        for index, table, column in found
        if table in owners and column != owners[table] and index != "chat.rooms_pkey"
    }
    assert elsewhere == UNIQUE_ELSEWHERE.keys()
    assert len(found) > 50


def test_foreign_keys_stay_with_one_owner_or_lead_to_another_owner_itself(
    connection: Connection, owners: dict[str, str]
) -> None:
    found = connection.execute(KEYS).fetchall()
    unowned = SMALL.keys() | UNOWNED.keys()
    crossing = {
        key
        for key, table, column, other, _ in found
        if table not in unowned and not (owners[table] == column == owners[other])
    }
    assert crossing == CROSSING_KEYS
    to_owners = {("chat.rooms", "id"), ("chat.profiles", "user_id"), ("chat.tenants", "tenant_id")}
    assert {(row[3], row[4]) for row in found if row[0] in crossing} <= to_owners
    assert len(crossing) < len(found) / 2


def test_the_page_about_scale_tells_of_everything_that_is_listed() -> None:
    page = PAGE.read_text()
    names = [
        *(name.partition(".")[2] for name in UNOWNED),
        *(name.partition(".")[2] for name in UNIQUE_ELSEWHERE),
        *(name.split(".")[1] for name in CROSSING_KEYS),
        *(name.partition(" ")[0] for name in READ_ACROSS),
    ]
    for name, tables in WRITTEN_ACROSS.items():
        names += [table.partition(".")[2] for table in tables]
        if tables != {BUCKETS}:  # Every write takes from one.
            names.append(name.partition(" ")[0])
    assert [name for name in names if f"`{name}`" not in page] == []


def touched_by(connection: Connection, call: str) -> dict[str, tuple[set[str], int]]:
    """Run a call, take it back, and return the partitions and the writes of each table."""
    before = {row[:2]: row[2:] for row in connection.execute(TOUCHED).fetchall()}
    with connection.transaction(force_rollback=True):
        connection.execute(f"select {call}".encode()).fetchall()
        found: dict[str, tuple[set[str], int]] = {}
        for table, part, scans, writes in connection.execute(TOUCHED).fetchall():
            old_scans, old_writes = before.get((table, part), (0, 0))
            if (scans, writes) != (old_scans, old_writes):
                parts, written = found.get(table, (set(), 0))
                found[table] = (parts | {part}, written + writes - old_writes)
    return found


def test_what_happens_often_names_the_owner_or_is_listed(
    connection: Connection, owners: dict[str, str]
) -> None:
    connection.execute(PREPARE)
    read, written, places = {}, {}, {}
    for name, call in CALLS.items():
        touched = touched_by(connection, call)
        assert touched, f"{name} touches no table"
        several = {table for table, (parts, _) in touched.items() if len(parts) > 1}
        writes = {table for table, (_, count) in touched.items() if count}
        elsewhere = {table for table in writes if owners.get(table) != "room_id"}
        if several:
            read[name] = several
        if writes != elsewhere and elsewhere:
            written[name] = elsewhere
        places[name] = {
            part.rpartition("_")[2]
            for table, (parts, _) in touched.items()
            for part in parts
            if part.startswith("chat_partitions.") and table not in several
            if owners[table] == "room_id"
        }
    assert read == READ_ACROSS
    assert written == WRITTEN_ACROSS
    in_a_room = [name for name, call in CALLS.items() if name not in read and "'trip'" in call]
    assert len(in_a_room) > 12
    assert {len(places[name] | places["list_messages"]) for name in in_a_room} == {1}, (
        "the tables of a room have it in the same partition"
    )
