"""A copy of the adopter's table becomes what a select shows its owner, whatever writers do."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.people import Person, people
from tests.sql.races import Owner

pytestmark = pytest.mark.lasts(30)

TABLE = "app.payments"
SCHEMA = """
create schema app;
grant usage on schema app to authenticated;
create table app.payments (
  id integer primary key, tenant_id uuid, amount integer not null, is_hidden boolean not null
);
create index payments_by_tenant on app.payments (tenant_id, id);
alter table app.payments enable row level security;
create policy "members read what is not hidden" on app.payments for select to authenticated
  using (not is_hidden and tenant_id in (
    select t.tenant_id from chat.tenant_members as t
    where t.user_id = (select auth.uid()) and t.removed_at is null
  ));
grant select on app.payments to authenticated;
select chat_private.stream_table('app.payments', 'tenant_id');
"""
READINGS = """
create schema app;
grant usage on schema app to authenticated;
create collation app.caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create table app.readings (id {key} primary key, tenant_id uuid, amount integer not null);
alter table app.readings enable row level security;
create policy "people read all" on app.readings for select to authenticated using (true);
grant select on app.readings to authenticated;
select chat_private.stream_table('app.readings', 'tenant_id');
"""
LINES = """
create table app.lines (
  id integer primary key, tenant_id uuid, amount integer not null, is_hidden boolean not null
) partition by range (id);
create table app.low_lines partition of app.lines for values from (0) to (2);
create table app.high_lines partition of app.lines for values from (2) to (100);
alter table app.lines enable row level security;
create policy "all read" on app.lines for select to authenticated using (true);
grant select on app.lines to authenticated;
select chat_private.stream_table('app.lines', 'tenant_id');
"""


# Each returns the owners before and after.
WRITES = (
    "insert into app.{table} select n, %(tenant)s, 5, false"
    " from generate_series(%(id)s, %(id)s + 5) as n on conflict do nothing returning tenant_id",
    "update app.{table} set amount = amount + 1 where id = %(id)s returning tenant_id",
    "update app.{table} set amount = amount + 1 where tenant_id = any (%(tenants)s)"
    " returning tenant_id",
    "update app.{table} set tenant_id = %(tenant)s where tenant_id = %(other)s"
    " returning tenant_id, %(other)s",
    "delete from app.{table} where id = %(id)s returning tenant_id",
)


class Copy:
    """The rows on somebody's device, kept as a client keeps them."""

    def __init__(self, person: Person, limit: int = 1000, table: str = TABLE) -> None:
        self.person = person
        self.table = table
        self.cursor: dict[str, Any] = {"timeline": None, "limit": limit, "owners": {}}
        self.rows: dict[str, tuple[str, dict[str, Any]]] = {}
        self.resets = 0
        self.pages = 0

    def pull(self) -> None:
        """Pull until there is no more."""
        more = True
        while more:
            answer = self.person.call("pull_table", name=self.table, cursor=Jsonb(self.cursor))[
                "pull_table"
            ]
            self.pages += 1
            more = answer["more"]
            self.cursor["timeline"] = answer["timeline"]
            for owner_id in answer["dropped"]:
                self._drop(owner_id)
                del self.cursor["owners"][owner_id]
            for owner in answer["owners"]:
                self._apply(owner)

    def _drop(self, owner_id: str) -> None:
        self.rows = {tag: row for tag, row in self.rows.items() if row[0] != owner_id}

    def _apply(self, owner: dict[str, Any]) -> None:
        owner_id = owner["owner_id"]
        if owner["reset"]:
            self.resets += 1
            self._drop(owner_id)
        for tag in owner["gone"]:
            if self.rows.get(tag, (None,))[0] == owner_id:
                del self.rows[tag]
        tags = [entry["tag"] for entry in owner["rows"]]
        assert len(set(tags)) == len(tags), "clients refuse an answer that has a row twice"
        for entry in owner["rows"]:
            self.rows[entry["tag"]] = (owner_id, entry["row"])
        self.cursor["owners"][owner_id] = owner["cursor"]

    def shown(self) -> list[dict[str, Any]]:
        """Return the rows in the order of their keys."""
        return sorted((row for _, row in self.rows.values()), key=lambda row: row["id"])


def visible(database: str, person: Person, table: str = TABLE) -> list[dict[str, Any]]:
    """Return what a select shows somebody."""
    query = sql.SQL("select to_jsonb(r) from {} as r order by r.id").format(
        sql.Identifier(*table.split("."))
    )
    with psycopg.connect(database) as connection:
        connection.execute(
            "select set_config('role', 'authenticated', true),"
            " set_config('request.jwt.claims', %s, true)",
            [f'{{"sub": "{person.id}", "role": "authenticated"}}'],
        )
        return [row for (row,) in connection.execute(query)]


def tenants_of(owner: Owner, founder: Person, other: Person) -> list[UUID]:
    """Make two tenants: both people are in the first one, the founder alone in the second."""
    tenants = [founder.call("create_tenant", name=name)["tenant_id"] for name in ("Club", "Shop")]
    owner.execute(
        "insert into chat.tenant_members (tenant_id, user_id, role) values (%s, %s, 'member')",
        [tenants[0], other.id],
    )
    return tenants


def write(database: str, tenants: list[UUID], seed: int, over: threading.Event) -> int:
    """Write like an app: rows and sets of rows, in long transactions, some of them rolled back."""
    rng, count = random.Random(seed), 0
    with psycopg.connect(database) as connection:
        while not over.is_set():
            for _ in range(rng.choice((1, 1, 1, 4))):
                first, tenant = rng.randrange(3000), rng.choice(tenants)
                last = first + rng.choice((0, 0, 3, 500))
                connection.execute(
                    rng.choice(
                        (
                            "insert into app.payments select n, %(tenant)s, %(first)s, n %% 7 = 0"
                            " from generate_series(%(first)s::integer, %(last)s::integer) as n"
                            " on conflict do nothing",
                            "update app.payments set amount = amount + 1"
                            " where id between %(first)s and %(last)s",
                            "update app.payments set tenant_id = %(tenant)s"
                            " where id between %(first)s and %(last)s",
                            "update app.payments set is_hidden = not is_hidden"
                            " where id = %(first)s",
                            "update app.payments set id = id + 5000 where id = %(first)s",
                            "delete from app.payments where id between %(first)s and %(last)s",
                        )
                    ),
                    {"first": first, "last": last, "tenant": tenant},
                )
                over.wait(rng.choice((0, 0, 0.02)))
            count += 1
            connection.rollback() if rng.random() < 0.1 else connection.commit()
    return count


def try_to_write(database: str, tenants: list[UUID], seed: int, over: threading.Event) -> int:
    """Write, and begin again when another writer was first."""
    count = 0
    while not over.is_set():
        try:
            count += write(database, tenants, seed + count, over)
        except (psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation):
            count += 1
    return count


def write_at_random(
    connection: psycopg.Connection[Any], rng: random.Random, ids: range, tenants: list[UUID]
) -> set[tuple[UUID, str]]:
    """Run a statement, or undo it; return who lost or got rows in which table."""
    tenant, other = rng.sample(tenants, 2)
    table = rng.choice(("payments", "lines"))
    is_undone = rng.random() < 0.2
    with connection.transaction(force_rollback=is_undone):
        rows = connection.execute(
            rng.choice(WRITES).format(table=table),
            {"id": rng.choice(ids), "tenant": tenant, "other": other, "tenants": tenants},
        ).fetchall()
    return set() if is_undone else {(each, f"app.{table}") for row in rows for each in row}


def commit_and_look(database: str, ids: range) -> None:
    """Commit transactions over rows of one's own, and look what each of them told."""
    rng = random.Random(ids.start)
    tenants = [uuid4(), uuid4()]
    topics = [f"tenant:{tenant}:dashboard" for tenant in tenants]
    told = 0
    with psycopg.connect(database, autocommit=True) as connection:
        for _ in range(100):
            changed: dict[str, set[str]] = {}
            with connection.transaction():
                for _ in range(rng.choice((1, 1, 2, 4))):
                    for tenant, table in write_at_random(connection, rng, ids, tenants):
                        changed.setdefault(f"tenant:{tenant}:dashboard", set()).add(table)
            found = connection.execute(
                "select m.topic, m.payload -> 'tables' from realtime.messages as m"
                " where m.event = 'table_changed' and m.topic = any (%s)"
                " order by m.inserted_at offset %s",
                [topics, told],
            ).fetchall()
            told += len(found)
            expected = [(topic, sorted(tables)) for topic, tables in changed.items()]
            assert sorted((topic, sorted(tables)) for topic, tables in found) == sorted(expected)
    assert told > 50, "most transactions change something"


def test_a_transaction_tells_each_of_its_owners_once_and_names_their_tables(
    database: str, owner: Owner
) -> None:
    owner.execute(SCHEMA)
    owner.execute(LINES)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(commit_and_look, [database] * 3, [range(n, n + 24) for n in (0, 30, 60)]))


def test_copies_hold_what_a_select_shows_while_six_writers_write(
    database: str, owner: Owner
) -> None:
    owner.execute(SCHEMA)
    with people(database, "Ann", "Bob") as (ann, bob), ThreadPoolExecutor(8) as pool:
        tenants = tenants_of(owner, ann, bob)
        copies = [Copy(ann, limit=200), Copy(bob, limit=50)]
        over = threading.Event()
        writers = [pool.submit(try_to_write, database, tenants, n, over) for n in range(6)]
        timer = threading.Timer(4, over.set)
        timer.start()
        while not over.is_set():
            for copy in copies:
                copy.pull()
            owner.execute("select chat_private.tidy_table_notes(200)")
        assert sum(writer.result() for writer in writers) > 50
        for copy in copies:
            copy.pull()
            assert copy.shown() == visible(database, copy.person)
            assert copy.pages > 10
        assert copies[1].shown() != copies[0].shown() != []


def test_notes_that_are_purged_make_a_copy_start_anew(database: str, owner: Owner) -> None:
    owner.execute(SCHEMA)
    with people(database, "Ann", "Bob") as (ann, bob):
        tenants = tenants_of(owner, ann, bob)
        copy = Copy(ann)
        copy.pull()
        owner.execute("insert into app.payments values (1, %s, 5, false)", [tenants[0]])
        copy.pull()
        begun_with = copy.resets
        owner.execute("update chat_private.table_notes set noted_at = now() - interval '31 days'")
        owner.execute("select chat_private.tidy_table_notes(100)")
        copy.pull()
        assert copy.resets == begun_with, "a copy that has seen what was purged goes on"
        owner.execute("update app.payments set amount = 6")
        owner.execute("update chat_private.table_notes set noted_at = now() - interval '31 days'")
        owner.execute("select chat_private.tidy_table_notes(100)")
        copy.pull()
        assert copy.resets == begun_with + 1
        assert copy.shown() == visible(database, ann)


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        ("numeric", "1.0", "1.00"),
        ("interval", "1 day", "24:00:00"),
        ("text collate app.caseless", "ann", "Ann"),
    ],
)
def test_a_key_that_is_equal_and_has_another_text_takes_the_place_of_the_one_before(
    database: str, owner: Owner, key: str, before: str, after: str
) -> None:
    owner.execute(READINGS.format(key=key))
    with people(database, "Ann", "Bob") as (ann, bob):
        tenant, _ = tenants_of(owner, ann, bob)
        copy = Copy(ann, table="app.readings")
        insert = "insert into app.readings values (%s, %s, 1)"
        for writes in (
            [("update app.readings set id = %s", [after])],
            [("delete from app.readings", []), (insert, [after, tenant])],
        ):
            owner.execute("delete from app.readings")
            owner.execute(insert, [before, tenant])
            copy.pull()
            assert copy.shown() == visible(database, ann, "app.readings") != []
            for query, values in writes:
                owner.execute(query, values)
            copy.pull()
            assert copy.shown() == visible(database, ann, "app.readings") != []


@pytest.mark.parametrize(
    ("key", "value", "there"),
    [
        ("timestamptz", "2026-11-29 10:00+00", ("timezone", "Asia/Tokyo")),
        ("interval", "1 day 02:00", ("intervalstyle", "iso_8601")),
        ("bytea", "\\x00ff41", ("bytea_output", "escape")),
        ("double precision", "0.30000000000000004", ("extra_float_digits", "-3")),
    ],
)
def test_it_does_not_matter_in_which_session_a_key_was_written(
    database: str, owner: Owner, key: str, value: str, there: tuple[str, str]
) -> None:
    owner.execute(READINGS.format(key=key))
    with people(database, "Ann", "Bob") as (ann, bob), psycopg.connect(database) as abroad:
        tenant, _ = tenants_of(owner, ann, bob)
        abroad.autocommit = True
        setting, value_there = there
        (value_here,) = abroad.execute("select current_setting(%s)", [setting]).fetchone() or ()
        set_for_good = "select set_config(%s, %s, false)"
        abroad.execute(set_for_good, [setting, value_there])
        copy = Copy(ann, table="app.readings")
        copy.pull()
        owner.execute("insert into app.readings values (%s, %s, 1)", [value, tenant])
        abroad.execute("update app.readings set amount = 2")
        copy.pull()
        assert copy.shown() == visible(database, ann, "app.readings") != []
        # The texts of the keys that the copy has are those of the session that pulls.
        ann.connection.execute(set_for_good, [setting, value_there])
        owner.execute("update app.readings set amount = 3")
        copy.pull()
        assert [row["amount"] for row in copy.shown()] == [3]
        ann.connection.execute(set_for_good, [setting, value_here])
        abroad.execute("delete from app.readings")
        copy.pull()
        assert copy.shown() == []


@pytest.mark.parametrize(
    ("extension", "key", "values"),
    [
        ("citext", 'extensions.citext collate "C"', ["a", "A1", "B", "b1", "c"]),
        ("ltree", "extensions.ltree", ["a", "a.B", "a_b"]),
    ],
)
def test_keys_of_a_type_of_an_extension_come_all_in_pages_and_go(
    database: str, owner: Owner, extension: str, key: str, values: list[str]
) -> None:
    owner.execute("create extension " + extension + " with schema extensions")
    owner.execute(READINGS.format(key=key))
    with people(database, "Ann", "Bob") as (ann, bob):
        tenant, _ = tenants_of(owner, ann, bob)
        for each in values:
            owner.execute("insert into app.readings values (%s, %s, 1)", [each, tenant])
        copy = Copy(ann, limit=1, table="app.readings")
        copy.pull()
        assert {row["id"] for row in copy.shown()} == set(values)
        owner.execute("update app.readings set amount = 2 where id::text <> 'a'")
        owner.execute("update app.readings set id = 'Z' where id::text = 'a'")
        copy.pull()
        assert {row["id"] for row in copy.shown()} == {"Z", *values} - {"a"}
        owner.execute("delete from app.readings")
        copy.pull()
        assert copy.shown() == []


def test_a_copy_starts_anew_when_row_level_security_is_turned_off_or_on(
    database: str, owner: Owner
) -> None:
    owner.execute(SCHEMA)
    with people(database, "Ann", "Bob") as (ann, bob):
        tenant, _ = tenants_of(owner, ann, bob)
        owner.execute(
            "insert into app.payments values (1, %s, 5, true), (2, %s, 5, false)", [tenant, tenant]
        )
        copy = Copy(ann)
        for state, ids in (("enable", [2]), ("disable", [1, 2]), ("enable", [2])):
            owner.execute("alter table app.payments " + state + " row level security")
            copy.pull()
            assert [row["id"] for row in copy.shown()] == ids
            assert copy.shown() == visible(database, ann)


@pytest.mark.parametrize("columns", ["(id, amount)", "(tenant_id, amount)", "(amount)", None])
def test_a_table_whose_key_or_owner_may_not_be_read_any_more_is_not_found(
    database: str, owner: Owner, columns: str | None
) -> None:
    owner.execute(SCHEMA)
    with people(database, "Ann", "Bob") as (ann, bob):
        tenants_of(owner, ann, bob)
        copy = Copy(ann)
        copy.pull()
        owner.execute("revoke select on app.payments from authenticated")
        if columns is not None:
            owner.execute("grant select " + columns + " on app.payments to authenticated")
        with pytest.raises(psycopg.Error, match="table_not_found"):
            copy.pull()
        owner.execute("grant select on app.payments to authenticated")
        copy.pull()


def test_a_number_that_differs_in_a_digit_that_a_session_does_not_print_is_another_key(
    database: str, owner: Owner
) -> None:
    owner.execute(READINGS.format(key="double precision"))
    with people(database, "Ann", "Bob") as (ann, bob), psycopg.connect(database) as abroad:
        tenant, _ = tenants_of(owner, ann, bob)
        abroad.autocommit = True
        abroad.execute("set extra_float_digits = -3")
        owner.execute("insert into app.readings values (0.3, %s, 1)", [tenant])
        copy = Copy(ann, table="app.readings")
        copy.pull()
        abroad.execute("update app.readings set id = 0.30000000000000004")
        copy.pull()
        assert [row["id"] for row in copy.shown()] == [0.30000000000000004]


@pytest.mark.parametrize("table", ["payments", "lines"])
def test_a_table_that_gets_another_name_travels_under_it(
    database: str, owner: Owner, table: str
) -> None:
    owner.execute(SCHEMA)
    owner.execute(LINES)
    with people(database, "Ann", "Bob") as (ann, bob):
        tenant, _ = tenants_of(owner, ann, bob)
        owner.execute(f"alter table app.{table} rename to renamed")
        copy = Copy(ann, table="app.renamed")
        copy.pull()
        owner.execute("insert into app.renamed values (1, %s, 5, false)", [tenant])
        owner.execute("insert into app.renamed values (2, %s, 5, false)", [tenant])
        copy.pull()
        assert [row["id"] for row in copy.shown()] == [1, 2]
        owner.execute("update app.renamed set id = 3 where id = 1")
        owner.execute("delete from app.renamed where id = 2")
        copy.pull()
        assert [row["id"] for row in copy.shown()] == [3]
        owner.execute("truncate app.renamed")
        copy.pull()
        assert copy.shown() == []


def test_maintenance_passes_by_a_table_that_is_busy_and_comes_back_to_it(
    database: str, owner: Owner
) -> None:
    owner.execute(SCHEMA)
    owner.execute(
        "create function app.touch() returns trigger language plpgsql as 'begin return new; end';"
        " create trigger touch before update on app.payments"
        " for each row execute function app.touch()"
    )
    again = "select chat_private.stream_changed_tables()"
    with psycopg.connect(database) as writer:
        writer.execute("insert into app.payments values (1, null, 1, false)")
        assert owner.execute(again).fetchall() == [(0,)]
    assert owner.execute(again).fetchall() == [(1,)]
    assert owner.execute(again).fetchall() == [(0,)]


def test_where_constraints_are_checked_at_once_each_table_is_announced(
    database: str, owner: Owner
) -> None:
    owner.execute(SCHEMA)
    owner.execute(LINES)
    told = (
        "select array_agg(distinct each.name order by each.name)"
        " from realtime.messages as m,"
        " jsonb_array_elements_text(m.payload -> 'tables') as each (name)"
        " where m.event = 'table_changed' and m.topic like %s"
    )
    with people(database, "Ann", "Bob") as (ann, bob):
        tenants = tenants_of(owner, ann, bob)
        for tenant, mode in zip(tenants, ("deferred", "immediate"), strict=True):
            with psycopg.connect(database) as connection:
                connection.execute(f"set constraints all {mode}")
                for number, table in enumerate(("payments", "lines", "payments")):
                    connection.execute(
                        f"insert into app.{table} values (%s, %s, 5, false)",
                        [number + 10 * tenants.index(tenant), tenant],
                    )
            found = owner.execute(told, [f"tenant:{tenant}:dashboard"]).fetchone()
            assert found == (["app.lines", "app.payments"],)
