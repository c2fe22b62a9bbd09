"""The first migration: empty partitioned tables, and triggers that copy every change to them."""

from __future__ import annotations

from typing import Any

import psycopg

from bench.partitioned.tables import NEXT, PARTITIONS, Table, read_tables

HEAD = f"""\
-- Partitions, step 1 of 3: tables beside the old ones, and triggers that copy every change to them.
-- Creating the triggers waits for the calls that write now. To go back:
--   drop schema {NEXT}, {PARTITIONS} cascade;
set local lock_timeout = '5s';

-- Whoever writes locks a room first, and before it at most their own mark: so they are done, or
-- have not begun with the other tables.
lock table chat.marks in share row exclusive mode;
lock table chat.rooms in exclusive mode;

create schema {NEXT};
create schema {PARTITIONS};
"""
TABLE = """
create table {copy} (
  like {name} including comments including compression including constraints including defaults
  including generated including identity including statistics including storage
) partition by hash ({owner});
"""
# The old row is locked by whoever changes it, so that nobody else copies it meanwhile. A row that
# refers to another one brings it along, because the rows that were there come later.
TRIGGER = """
create function {next}.tg_{relation}__copy()
returns trigger
language plpgsql
volatile
-- definer: API roles have no right to the new tables
security definer
set search_path = '', pg_temp
as $$
begin
  if tg_op <> 'INSERT' and ({new_key}) is distinct from ({old_key}) then
    delete from {copy} as n where {is_old};
  end if;
  if tg_op <> 'DELETE' then
{parents}    insert into {copy} values (new.*)
    on conflict on constraint {key_name} do update
    set ({columns}) = row({excluded});
  end if;
  return null;
end;
$$;

revoke execute on function {next}.tg_{relation}__copy()
  from public, anon, authenticated, service_role;

create trigger _900_copy
  after insert or update or delete on {name}
  for each row execute function {next}.tg_{relation}__copy();
"""
PARENT = """\
    insert into {copy} select p.* from {name} as p where {condition}
    on conflict do nothing;
"""


def copies_sql(connection: psycopg.Connection[Any], parts: int) -> str:
    """Return the migration for a database: so many partitions of each table."""
    tables = read_tables(connection)
    return "".join(
        [HEAD, *(table_sql(table, parts) for table in tables), *map(keys_sql, tables)]
        + [trigger_sql(table) for table in tables]
    )


def table_sql(table: Table, parts: int) -> str:
    """Return what makes a table with its partitions, indexes and comments."""
    options = f" with ({table.options})" if table.options else ""
    lines = [
        *(
            f"create table {PARTITIONS}.{table.relation}_{part:02} partition of {table.copy}"
            f" for values with (modulus {parts}, remainder {part}){options};"
            for part in range(parts)
        ),
        *(f"alter table {table.copy} {constraint};" for constraint in table.constraints),
        *(f"{index};" for index in table.indexes),
        *([] if table.comment is None else [f"comment on table {table.copy} is {table.comment};"]),
    ]
    return (
        TABLE.format(copy=table.copy, name=table.name, owner=table.owner) + "\n".join(lines) + "\n"
    )


def keys_sql(table: Table) -> str:
    """Return what makes its foreign keys, when all tables are there, and the comments on them."""
    return "".join(
        [
            *(f"alter table {table.copy} {key};\n" for key in table.foreign_keys),
            *(f"{comment};\n" for comment in table.comments),
        ]
    )


def trigger_sql(table: Table) -> str:
    """Return the trigger that copies every change of a table."""
    return TRIGGER.format(
        next=NEXT,
        relation=table.relation,
        name=table.name,
        copy=table.copy,
        key_name=table.key_name,
        new_key=", ".join(f"new.{column}" for column in table.key),
        old_key=", ".join(f"old.{column}" for column in table.key),
        is_old=table.same_key("n", "old"),
        columns=", ".join(table.columns),
        excluded=", ".join(f"excluded.{column}" for column in table.columns),
        parents="".join(
            PARENT.format(name=name, copy=copy, condition=condition)
            for name, copy, condition in table.parents
        ),
    )
