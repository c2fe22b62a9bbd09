"""What the copy did not show before, for whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from parley.events import RoomRows, UserRows
from parley.sync.errors import RowUnreadable, StoreUnusable
from parley.sync.kinds import ROOM_KINDS, USER_KINDS, Kind, as_model
from parley.sync.rows import Row, Rows, dumped

M = TypeVar("M", RoomRows, UserRows)


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that came and cannot be read. ``kind`` is the kind of its rows, ``row`` how it came."""

    kind: str
    key: Mapping[str, Any]
    """What names it: ``{"room_id": …, "seq": 7}`` for a message."""
    reason: str
    row: Row


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file of an own message got: ``sent`` of ``size`` bytes."""

    client_id: UUID
    """What this device calls the message."""
    path: str
    sent: int
    size: int


@dataclass(frozen=True, slots=True)
class TableChange:
    """What changed in a table of the project's own, by key: a value, or a tuple of several.

    ``is_fresh`` tells to read all of it again.
    """

    name: str
    changed: tuple[Any, ...] = ()
    gone: tuple[Any, ...] = ()
    is_fresh: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Something the copy did not show before. ``room_id`` is None for the own stream.

    ``is_gone`` tells that the room left the copy. ``is_fresh`` tells to read all of it again: rows
    replaced all there was, or more changed than whoever follows has taken. ``raw`` are the new rows
    as they came; ``room_rows`` and ``user_rows`` are their models, and ``unreadable`` those that
    have none. ``fault`` is what got in the way of the file; it is told once. ``dropped_tenants``
    are tenants this account is no longer in; people whom nothing in the copy names any more have
    left it. ``people`` are those whose profile in the copy changed. ``upload`` tells how far a file
    got on its way. ``places_changed`` tells that this account may be in other tenants than before.
    ``table`` is what changed in a table of the project's own.
    """

    room_id: UUID | None
    raw: Rows = field(default_factory=dict)
    is_gone: bool = False
    is_fresh: bool = False
    dropped_tenants: tuple[UUID, ...] = ()
    fault: StoreUnusable | None = None
    people: tuple[UUID, ...] = ()
    upload: Progress | None = None
    table: TableChange | None = None
    places_changed: bool = False

    @property
    def room_rows(self) -> RoomRows:
        """The new rows of the room that can be read; none of the own stream."""
        return RoomRows() if self.room_id is None else self._read(RoomRows)

    @property
    def user_rows(self) -> UserRows:
        """The new rows of the own stream that can be read; none of a room."""
        return self._read(UserRows) if self.room_id is None else UserRows()

    @property
    def unreadable(self) -> tuple[UnreadableRow, ...]:
        """The new rows that cannot be read. The copy shows them as such, or leaves them out."""
        return tuple(
            UnreadableRow(name, {each: row[each] for each in kind.columns}, reason, row)
            for name, kind in self._kinds.items()
            for row in self.raw.get(name, ())
            if (reason := fault_in(kind, dumped(row))) is not None
        )

    @property
    def _kinds(self) -> Mapping[str, Kind]:
        return USER_KINDS if self.room_id is None else ROOM_KINDS

    def _read(self, model: type[M]) -> M:
        texts = {name: list(map(dumped, self.raw.get(name, ()))) for name in self._kinds}
        try:
            return as_model(model, joined(texts))
        except RowUnreadable:
            readable = {
                name: [text for text in texts[name] if fault_in(kind, text) is None]
                for name, kind in self._kinds.items()
            }
            return as_model(model, joined(readable))


def joined(texts: Mapping[str, list[str]]) -> str:
    """``{kind: [rows]}`` as one text: rows are read in the form in which they are kept."""
    kinds = (f'"{name}":[{",".join(rows)}]' for name, rows in texts.items())
    return f"{{{','.join(kinds)}}}"


def fault_in(kind: Kind, text: str) -> str | None:
    """Say why a row cannot be read as it is kept; None when it can."""
    try:
        as_model(kind.model, text)
    except RowUnreadable as error:
        return error.detail
    return None
