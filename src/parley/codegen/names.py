"""Python names for SQL names: as close as Python allows, and never two for one."""

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
"""What generated files import; no class or column may take such a name."""

FIELDS = frozenset(name for name in dir(BaseModel) if not name.startswith("__")) | {"to_json"}
"""What every model has already; a column of that name gets an underscore behind it."""


def pascal(name: str) -> str:
    """Return a name for a class: room_members is RoomMembers, and what is mixed stays mixed."""
    words = [word for word in re.split(r"[\W_]+", name) if word]
    joined = "".join(word[0].upper() + word[1:] for word in words) or "Unnamed"
    return joined if joined.isidentifier() else f"N{joined}"


def plain(name: str) -> str:
    """Return a name for a variable: what Python does not take becomes an underscore."""
    cleaned = re.sub(r"\W", "_", name).lstrip("_") or "unnamed"
    if not cleaned.isidentifier():
        cleaned = f"n{cleaned}"
    is_taken = keyword.iskeyword(cleaned) or cleaned in TYPES or cleaned in TYPE_BUILTINS
    return f"{cleaned}_" if is_taken else cleaned


TYPE_BUILTINS = frozenset(
    name for name in dir(builtins) if isinstance(getattr(builtins, name), type)
)
"""Names such as int and list, which annotations need to keep their meaning."""


class Namespace:
    """Hands out names, each once; the second one to ask for a name gets it with a 2 behind."""

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
