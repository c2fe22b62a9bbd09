"""Arguments that an app gives: each is looked at before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from reprlib import repr as short
from typing import TypeAlias
from uuid import UUID

from parley.errors import InvalidInput
from parley.sync.rows import BIGGEST, is_number, is_text
from parley.sync.view_models import Message

Id: TypeAlias = UUID | str


def as_id(value: Id) -> UUID:
    """Return an id. Raises InvalidInput."""
    if isinstance(value, UUID):
        return value
    with suppress(ValueError):
        if isinstance(value, str):
            return UUID(value)
    raise InvalidInput(f"{short(value)} is not an id.", "Ids are uuids.")


def as_ids(values: Iterable[Id]) -> list[UUID]:
    """Return ids. Raises InvalidInput."""
    if not isinstance(values, Iterable):
        raise InvalidInput(f"{short(values)} are no ids.", "Give a list of uuids.")
    return [as_id(each) for each in values]


def as_number(value: int) -> int:
    """Return a size or a place. Raises InvalidInput."""
    if not is_number(value):
        raise InvalidInput(
            f"{short(value)} is no number from 0 to {BIGGEST}.", "Give such a number."
        )
    return value


def as_text(value: str) -> str:
    """Return text that can travel and be kept. Raises InvalidInput."""
    if not is_text(value):
        raise InvalidInput(
            f"{short(value)} is no text.", "Give text that is made of whole characters."
        )
    return value


def as_message(value: Message) -> Message:
    """Return a message. Raises InvalidInput."""
    if not isinstance(value, Message):
        raise InvalidInput(f"{short(value)} is no message.", "Take one from messages().")
    return value
