"""The indexes of a table in the copy: one of its key, and one of each column that the app names.

They are of one table each (``where number = …``), on what SQLite finds inside the kept rows. Each
goes on with the key, which is the order in which rows are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

from parley.sync.database import Database
from parley.sync.table import is_column

DIGITS_MOST = 15
"""Numbers up to here are the same in SQLite as in the row."""
COLUMNS_MOST, VALUES_MOST = 20, 500
"""What SQLite is asked with; the rest is looked at in the rows."""


def value_of(column: str) -> str:
    """The SQL of a column's value inside a row."""
    path = f'$."{column}"'.replace("'", "''")
    return f"json_extract(row, '{path}')"


def order_by(key: Sequence[str]) -> str:
    """The SQL of the order in which rows are shown."""
    return ", ".join([*map(value_of, filter(is_column, key)), "tag"])


def fit_indexes(
    database: Database, number: int, key: Sequence[str], columns: Iterable[str]
) -> None:
    """Make the indexes that a table should have, and drop the others."""
    wanted: dict[str, str] = {}
    for first in ((), *((each,) for each in columns)):
        terms = ", ".join([*map(value_of, first), order_by(key)])
        name = f"table_{number}_{sha256(terms.encode()).hexdigest()[:12]}"
        wanted[name] = f"create index {name} on table_rows ({terms}) where number = {number}"
    drop_indexes(database, number, keep=wanted)
    for name in wanted.keys() - set(names_of(database, number)):
        database.execute(wanted[name])


def drop_indexes(database: Database, number: int, keep: Iterable[str] = ()) -> None:
    """Drop the indexes of a table."""
    for name in set(names_of(database, number)) - set(keep):
        database.execute(f"drop index {name}")


def names_of(database: Database, number: int) -> list[str]:
    """The names of the indexes that a table has."""
    found = database.all(
        "select name from sqlite_schema where type = 'index' and name glob ?",
        (f"table_{number}_*",),
    )
    return [str(row["name"]) for row in found]


def condition(column: str, wanted: Any) -> tuple[str, list[Any]] | None:
    """The SQL that finds at least the rows whose column holds a value, or one of a list.

    None where only a look at the rows tells.
    """
    values = wanted if isinstance(wanted, list) else [wanted]
    if not is_column(column) or len(values) > VALUES_MOST or not all(map(is_exact, values)):
        return None
    some = [
        float(each) if isinstance(each, Decimal) else each for each in values if each is not None
    ]
    tests = []
    if some:
        tests.append(f"{value_of(column)} in ({', '.join('?' * len(some))})")
    if len(some) < len(values):
        tests.append(f"{value_of(column)} is null")
    return (f"({' or '.join(tests)})" if tests else "false"), some


def is_exact(value: Any) -> bool:
    """Tell whether SQLite compares a value as we do; it knows no number of many digits."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return True
    return len(Decimal(value).normalize().as_tuple().digits) <= DIGITS_MOST


def conditions(where: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The SQL that finds at least the rows that are looked for, and its values."""
    found = [condition(column, wanted) for column, wanted in where.items()]
    parts = [each for each in found if each is not None][:COLUMNS_MOST]
    return (
        " and ".join(["true", *(sql for sql, _ in parts)]),
        [value for _, values in parts for value in values],
    )
