"""Reads of one of the project's own tables in the copy. They need no network."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from reprlib import repr as short
from typing import Any, Generic, TypeVar

from parley.errors import InvalidInput
from parley.sync.change import Change, TableChange
from parley.sync.database import Database
from parley.sync.errors import RowUnreadable
from parley.sync.feed import Feed
from parley.sync.kinds import as_model
from parley.sync.queries import query
from parley.sync.table import Table, Where, as_where, holds
from parley.sync.table_indexes import conditions, order_by
from parley.sync.table_rows import read_facts
from parley.sync.table_steps import TableFacts
from parley.wire import Row as Model
from parley.wire import parse

R = TypeVar("R")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TableProgress:
    """How far the first fetch of a table got.

    ``fetched`` rows are here. There are ``about`` as many; None while the server does not tell,
    because nothing came yet or there are more than 100,000.
    """

    fetched: int
    about: int | None
    is_done: bool


class TableCopy(Generic[R]):
    """A table in the copy. Rows are objects of JSON, or of the model that it was asked for with.

    All raise StoreUnusable, and InvalidInput for an argument that makes no sense. A row that cannot
    be read is left out, and the log says why.
    """

    def __init__(
        self,
        database: Database,
        feed: Feed,
        table: Table,
        *,
        read: Callable[[Mapping[str, Any]], R],
        require_open: Callable[[], None],
    ) -> None:
        """``read`` makes what is shown of a row. It raises RowUnreadable.

        ``require_open`` raises ChatClosed when the chat was closed.
        """
        self.name = table.name
        self._database = database
        self._feed = feed
        self._require_open = require_open
        self._definition = table.definition
        self._read = read

    def rows(self, where: Where | None = None) -> list[R]:
        """The rows whose columns equal these values, by key; a list of values is one of them.

        Where several of these columns have an index, SQLite chooses one of them.
        """
        return self._shown(self._found(as_where({} if where is None else where)))

    def get(self, key: Any) -> R | None:
        """The row of a key, None when there is none.

        The key is a value; of several columns, a tuple in their order, or a mapping.
        """
        table = self._table()
        if table is None:
            return None
        columns = table[1].key
        if isinstance(key, Mapping):
            values = dict(key)
        else:
            parts = key if isinstance(key, tuple | list) else (key,)
            values = dict(zip(columns, parts, strict=False))
            if len(parts) != len(columns):
                values = {}
        if values.keys() != set(columns):
            raise InvalidInput(
                f"{short(key)} is no key of {self.name}.", f"Its key is {', '.join(columns)}."
            )
        where = as_where(values)
        if any(isinstance(each, list) for each in where.values()):
            raise InvalidInput(f"{short(key)} is more than one key.", "Look for several with rows.")
        return next(iter(self._shown(self._found(where))), None)

    def changes(self) -> AsyncIterator[TableChange]:
        """Yield which keys changed and which are gone, from now on; ends as ``Chat.changes``."""
        self._require_open()
        return tables_in(self._feed.subscribe(self._is_about))

    @property
    def progress(self) -> TableProgress:
        """How far the first fetch got."""
        row = self._database.maybe(
            "select number, is_fetched from tables where name = ? and definition = ?",
            (self.name, self._definition),
        )
        if row is None:
            return TableProgress(0, None, is_done=False)
        # (The number is written out, so that SQLite may look in the indexes of this table alone.)
        told = self._database.one(query("table_progress").replace(":number", str(row["number"])))
        is_done = bool(row["is_fetched"]) and not told["running"]
        about = told["fetched"] if is_done else told["about"]
        return TableProgress(told["fetched"], about, is_done=is_done)

    def _table(self) -> tuple[int, TableFacts] | None:
        """Its number, and what the server said of it; None while nothing was fetched."""
        row = self._database.maybe(
            "select number, name, facts from tables where name = ? and definition = ?",
            (self.name, self._definition),
        )
        facts = None if row is None else read_facts(row)
        return None if row is None or facts is None else (row["number"], facts)

    def _found(self, where: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        table = self._table()
        if table is None:
            return []
        number, facts = table
        statement, values = lookup(number, facts.key, where)
        rows = (parse(row["row"]) for row in self._database.all(statement, values))
        return [row for row in rows if isinstance(row, Mapping) and holds(row, where)]

    def _shown(self, rows: Iterable[Mapping[str, Any]]) -> list[R]:
        shown, fault = [], None
        for row in rows:
            try:
                shown.append(self._read(row))
            except RowUnreadable as error:
                fault = error
        if fault is not None:
            logger.warning("rows of %s are left out: %s", self.name, fault.detail)
        return shown

    def _is_about(self, change: Change) -> bool:
        return change.table is not None and change.table.name == self.name


async def tables_in(changes: AsyncIterator[Change]) -> AsyncIterator[TableChange]:
    """What changed in tables."""
    async for change in changes:
        if change.table is not None:
            yield change.table


def lookup(number: int, key: Sequence[str], where: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The statement that finds at least the rows that are looked for, and its values."""
    some, values = conditions(where)
    return (
        f"select row from table_rows where number = {number} and {some}"  # noqa: S608
        f" order by {order_by(key)}",
        values,
    )


def reader(model: type[Model] | None) -> Callable[[Mapping[str, Any]], Any]:
    """What makes a model of a row; without one, rows are shown as they came."""
    return dict if model is None else lambda row: as_model(model, row)
