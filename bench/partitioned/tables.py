"""The tables that are partitioned, and what the catalog knows of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row

from parley.errors import StackError
from parley.inspection.promises import with_whole_names

FOLDER = Path(__file__).parent / "sql"
PARTS = 8
OWNERS = {
    "chat.room_members": "room_id",
    "chat.messages": "room_id",
    "chat.reactions": "room_id",
    "chat.receipts": "room_id",
    "chat.marks": "user_id",
    "chat_private.search_blocks": "room_id",
}
"""The column by which each is divided, in the order in which calls touch them, and a swap."""
NEXT = "chat_next"
"""The schema in which the new tables are until the swap, under their own names."""
PARTITIONS = "chat_partitions"
"""The schema of the partitions. No API role may use it."""
BEFORE = "chat_unpartitioned"
"""The schema in which the old tables are after the swap."""


@dataclass(frozen=True)
class Table:
    """What a table is made of, as SQL that makes the same again."""

    name: str
    relation: str
    kind: str
    options: str | None
    comment: str | None
    key_name: str
    key: list[str]
    columns: list[str]
    constraints: list[str]
    foreign_keys: list[str]
    parents: list[list[str]]
    indexes: list[str]
    comments: list[str]
    security: list[str]
    grants: list[str]

    @property
    def owner(self) -> str:
        """The column that says whose a row is."""
        return OWNERS[self.name]

    @property
    def copy(self) -> str:
        """The name of the new table until the swap."""
        return f"{NEXT}.{self.relation}"

    def same_key(self, one: str, other: str) -> str:
        """Return the condition that two rows have the same key."""
        return " and ".join(f"{one}.{column} = {other}.{column}" for column in self.key)


def read(name: str) -> str:
    """Return the text of a query."""
    return (FOLDER / f"{name}.sql").read_text()


def read_tables(connection: psycopg.Connection[Any]) -> list[Table]:
    """Read all of them. Raises StackError where one is missing, or is partitioned already."""
    with with_whole_names(connection), connection.cursor(row_factory=class_row(Table)) as cursor:
        found = cursor.execute(read("tables"), {"names": list(OWNERS), "next": NEXT}).fetchall()
    if [table.name for table in found] != list(OWNERS):
        raise StackError("This database lacks tables of Parley.", "Run `parley doctor`.")
    if any(table.kind != "r" for table in found):
        raise StackError("The tables are partitioned already.", "There is nothing left to do.")
    return found
