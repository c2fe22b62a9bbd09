"""Python names for SQL names: as close as Python allows, and different for different names."""

from __future__ import annotations

import builtins
import keyword
import re

from pydantic import BaseModel

TYPES = frozenset(
    {"Any", "AsyncCalls", "AsyncClient", "AwareDatetime", "Bytea", "Client", "Decimal", "Field"}
    | {"Form", "Json", "Jsonable", "LEFT_OUT", "Literal", "Numeric", "Row", "Sequence"}
    | {"SyncCalls", "TypeAdapter", "TypeAlias", "UUID", "dt", "self"}
)
"""Names that generated files import. No class or column may have one of them."""

FIELDS = frozenset(name for name in dir(BaseModel) if not name.startswith("__")) | {"to_json"}
"""Attributes that every model has. A column of that name gets an underscore at its end."""


def pascal(name: str) -> str:
    """Return a name for a class: room_members becomes RoomMembers; mixed case stays as it is."""
    words = [word for word in re.split(r"[\W_]+", name) if word]
    joined = "".join(word[0].upper() + word[1:] for word in words) or "Unnamed"
    return joined if joined.isidentifier() else f"N{joined}"


def plain(name: str) -> str:
    """Return a name for a variable; characters that Python does not allow become underscores."""
    cleaned = re.sub(r"\W", "_", name).lstrip("_") or "unnamed"
    if not cleaned.isidentifier():
        cleaned = f"n{cleaned}"
    is_taken = keyword.iskeyword(cleaned) or cleaned in TYPES or cleaned in TYPE_BUILTINS
    return f"{cleaned}_" if is_taken else cleaned


TYPE_BUILTINS = frozenset(
    name for name in dir(builtins) if isinstance(getattr(builtins, name), type)
)
"""Names such as int and list. Annotations use them, so they cannot be names of anything else."""


class Namespace:
    """Hands out each name once; a second request for a name gets it with a 2 at the end."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = set(taken)

    def claim(self, wanted: str) -> str:
        """Return ``wanted``, or the first free variation of it."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}{number}"
        self._taken.add(name)
        return name
