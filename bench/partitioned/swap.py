"""The second migration, which puts the new tables in the place of the old ones, and the third.

In the second one every dependent is dropped and made again from the catalog, the adopter's own
among them: functions, types, views, policies, triggers and foreign keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import psycopg
from psycopg.rows import class_row

from bench.partitioned.backfill import require_copies
from bench.partitioned.tables import BEFORE, NEXT, OWNERS, Table, read, read_tables
from parley.errors import StackError
from parley.inspection.promises import with_whole_names

HEAD = """\
-- Partitions, step 2 of 3: the new tables take the place of the old ones, and everything that
-- depends on them is made again. Written from the catalog: write it again when a migration came in
-- between. It changes no row. Calls wait for it; those that wait inside a function may fail once.
-- It gives up, and changes nothing, when a lock does not come within five seconds.
set local lock_timeout = '5s';
set local check_function_bodies = off;

-- Fails, before anything is changed, where this does not run as one transaction.
create temporary table one_transaction () on commit drop;
drop table pg_temp.one_transaction;

-- Calls look at memberships first: so they are done, or have not begun with the other tables.
"""
FINISH = f"""\
-- Partitions, step 3 of 3: foreign keys look at the rows that were there, and the old tables go.
{{keys}}
drop schema {BEFORE} cascade;
"""


@dataclass(frozen=True)
class Dependent:
    """Something that depends on the tables: what drops it, and what makes it again."""

    id: str
    kind: str
    name: str
    drop_sql: str | None
    create_sql: str | None
    needs: list[str]


def read_dependents(connection: psycopg.Connection[Any]) -> list[Dependent]:
    """Read all of them, each after those it needs. Raises StackError for an unknown kind."""
    with (
        with_whole_names(connection),
        connection.cursor(row_factory=class_row(Dependent)) as cursor,
    ):
        found = cursor.execute(read("dependents"), {"names": list(OWNERS)}).fetchall()
    strange = [each.name for each in found if each.create_sql is None]
    if strange:
        raise StackError(
            f"These depend on the tables, and cannot be made again here: {'; '.join(strange)}.",
            "Drop them in a migration before the swap, and create them in one after it.",
        )
    by_id = {each.id: each for each in found}
    order = TopologicalSorter({each.id: sorted(each.needs) for each in found}).static_order()
    return [by_id[id_] for id_ in order]


def read_speaking(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Return functions whose text names the tables: what makes sessions compile them anew."""
    with with_whole_names(connection):
        found = connection.execute(read("speaking"), {"names": list(OWNERS)}).fetchall()
    return dict(found)


def swap_sql(connection: psycopg.Connection[Any]) -> str:
    """Return the migration for a database. Raises StackError while the new tables lack rows."""
    tables = read_tables(connection)
    require_copies(connection)
    dependents = read_dependents(connection)
    remade = {each.name for each in dependents}
    parts = [
        HEAD,
        *(f"lock table {table.name} in access exclusive mode;\n" for table in tables),
        "\n",
        *(f"drop trigger _900_copy on {table.name};\n" for table in tables),
        *(f"{each.drop_sql}\n" for each in reversed(dependents)),
        f"\ncreate schema {BEFORE};\n",
        *map(move_sql, tables),
        f"drop schema {NEXT} cascade;\n",
        *(f"\n{each.create_sql}\n" for each in dependents),
        "\n-- Sessions forget what they know of the old tables.\n",
        *(f"{line}\n" for name, line in read_speaking(connection).items() if name not in remade),
    ]
    return "".join(parts)


def move_sql(table: Table) -> str:
    """Return what puts a new table in the place of the old one, with its rights."""
    schema = table.name.partition(".")[0]
    return "".join(
        [
            f"alter table {table.name} set schema {BEFORE};\n",
            f"alter table {table.copy} set schema {schema};\n",
            *(f"alter table {table.name} {clause};\n" for clause in table.security),
            *(f"{grant};\n" for grant in table.grants),
        ]
    )


def finish_sql(connection: psycopg.Connection[Any]) -> str:
    """Return the migration that checks foreign keys and drops the old tables."""
    with with_whole_names(connection):
        found = connection.execute(read("unchecked"), {"names": list(OWNERS)}).fetchall()
    return FINISH.format(keys="".join(f"{line}\n" for (line,) in found))
