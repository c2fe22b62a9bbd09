"""What ``pull_table`` answers, read without trusting its form, and the cursor of the next pull.

As with steps, an answer whose envelope makes no sense is refused whole; what is in a row stays as
it came until somebody looks at it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parley.sync.rows import Row, is_id, is_number, is_text, refused
from parley.sync.steps import member, members

OWNERS = ("tenant", "user")
KEY_MOST = 32
"""How many columns a key of Postgres has."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the server says of a table: whose rows it holds, and its key and columns."""

    owner: str
    owner_column: str
    key: tuple[str, ...]
    columns: Mapping[str, str]

    @classmethod
    def read(cls, value: Any, name: str) -> TableFacts:
        """Read them. Raises AnswerRefused."""
        owner, column, key, columns = (
            member(value, each) for each in ("owner", "owner_column", "key", "columns")
        )
        if member(value, "name") != name or owner not in OWNERS or not is_text(column):
            raise refused("it is about another table, or does not say whose rows it holds")
        if not 1 <= len(members(key, "key")) <= KEY_MOST or not all(map(is_text, key)):
            raise refused("the key of the table is no list of columns")
        if not isinstance(columns, Mapping) or not all(
            is_text(each) for pair in columns.items() for each in pair
        ):
            raise refused("the columns of the table are no names with types")
        return cls(owner, column, tuple(key), columns)


@dataclass(frozen=True, slots=True)
class TableStep:
    """What happened to the rows of one owner. ``state`` is how far they go, in the server's words.

    ``fetched`` and ``about`` are counts while the first fetch runs.
    """

    owner_id: str
    is_reset: bool
    rows: Sequence[tuple[str, Row]]
    gone: Sequence[str]
    state: str
    has_more: bool
    fetched: int | None
    about: int | None

    @classmethod
    def read(cls, value: Any, owner_column: str) -> TableStep:
        """Read what an answer has of one owner. Raises AnswerRefused."""
        owner_id, is_reset, state, more = (
            member(value, each) for each in ("owner_id", "reset", "cursor", "more")
        )
        fetched, about = value.get("fetched"), value.get("about")
        gone = members(member(value, "gone"), "gone")
        if not is_id(owner_id) or type(is_reset) is not bool or type(more) is not bool:
            raise refused("there is an owner without an id, or it does not say whether it is new")
        if not all(map(is_text, gone)):
            raise refused("there is a row that is gone without a tag that can be")
        if not all(each is None or is_number(each) for each in (fetched, about)):
            raise refused("how many rows there are is no number")
        rows = [read_row(each) for each in members(member(value, "rows"), "rows")]
        if any(row.get(owner_column, owner_id) != owner_id for _, row in rows):
            raise refused("there is a row that is of another owner")
        if len({tag for tag, _ in rows}) < len(rows):
            raise refused("a row is in it twice")
        return cls(owner_id, is_reset, rows, gone, read_state(state), more, fetched, about)


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """An answer of ``pull_table``. ``dropped`` are owners whose rows are not the caller's."""

    timeline: str
    facts: TableFacts
    steps: tuple[TableStep, ...]
    dropped: tuple[str, ...]
    more: bool

    @classmethod
    def read(cls, value: Any, name: str) -> TableAnswer:
        """Read an answer about a table. Raises AnswerRefused."""
        timeline, more = (member(value, each) for each in ("timeline", "more"))
        if not is_text(timeline) or type(more) is not bool:
            raise refused("it has no timeline, or does not say whether there is more")
        facts = TableFacts.read(member(value, "table"), name)
        owners = members(member(value, "owners"), "owners")
        steps = tuple(TableStep.read(each, facts.owner_column) for each in owners)
        if len({each.owner_id for each in steps}) < len(steps):
            raise refused("an owner is in it twice")
        dropped = members(member(value, "dropped"), "dropped")
        if not all(map(is_id, dropped)):
            raise refused("there is a dropped owner without an id that can be")
        return cls(timeline, facts, steps, tuple(dropped), more)

    @property
    def may_go_on_late(self) -> bool:
        """Tell whether the next page may be older: it goes on with first fetches alone.

        An owner whose first fetch has ended may have rows that are newer than its cursor says,
        until another answer told what changed meanwhile.
        """
        return bool(self.steps) and all(each.fetched is not None for each in self.steps)


@dataclass(frozen=True, slots=True)
class TableCursor:
    """What the copy has of a table: the owners, and how far their rows go."""

    name: str
    definition: str
    timeline: str | None
    owners: Mapping[str, str]

    def asking(self, limit: int) -> dict[str, Any]:
        """The cursor of ``pull_table``."""
        owners = {owner_id: json.loads(state) for owner_id, state in self.owners.items()}
        return {
            **json.loads(self.definition),
            "timeline": self.timeline,
            "owners": owners,
            "limit": limit,
        }

    def check(self, answer: TableAnswer, me: str) -> None:
        """Look whether this is what was asked for. Raises AnswerRefused."""
        known = self.owners.keys() if answer.timeline == self.timeline else set()
        for step in answer.steps:
            if step.owner_id not in known and not step.is_reset:
                raise refused("it goes on with an owner that it was not asked for")
            if answer.facts.owner == "user" and step.owner_id != me:
                raise refused("there are rows of somebody else")
        if not self.owners.keys() >= set(answer.dropped):
            raise refused("it drops an owner that it was not asked for")
        moved = {each.owner_id: each.state for each in answer.steps}.items() - self.owners.items()
        if answer.more and not (moved or answer.dropped or answer.timeline != self.timeline):
            raise refused("it promises more and brings nothing")


def read_row(value: Any) -> tuple[str, Row]:
    """Return the tag of a row and what is in it. Raises AnswerRefused."""
    tag, row = member(value, "tag"), member(value, "row")
    if not is_text(tag) or not tag or not isinstance(row, Mapping):
        raise refused("there is a row without a tag, or one that is no object")
    return tag, row


def read_state(value: Any) -> str:
    """Return the state of an owner as text. Raises AnswerRefused."""
    if not isinstance(value, Mapping):
        raise refused("there is an owner without a cursor")
    try:
        text = json.dumps(value, default=float, allow_nan=False)
    except (RecursionError, TypeError, ValueError) as error:
        raise refused(f"the cursor of an owner cannot be kept: {error}") from error
    return text
