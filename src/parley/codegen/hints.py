"""Hints for what the catalog does not contain: the shape of jsonb, columns that are never null.

A hints file is TOML. ``[never_null]`` lists columns of views, composite types and functions that
return a table; ``[may_be_null]`` columns that are never null in their table and may be null in an
answer; ``[texts]`` the texts that a column takes (``rooms.kind``) where no constraint of its own
lists them; ``[shapes]`` gives a type of the generated models, or a dotted path to a class, for
a function's result (``list_heads``), or a column or argument (``list_rooms.room``).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from parley.codegen.catalog import Catalog
from parley.errors import CatalogUnreadable


@dataclass(frozen=True)
class Hints:
    """Names as the schema has them, without the schema."""

    never_null: dict[str, list[str]] = field(default_factory=dict)
    may_be_null: dict[str, list[str]] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Hints:
        """Read a hints file. Raises CatalogUnreadable."""
        try:
            return cls(**tomllib.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise CatalogUnreadable(
                f"The hints in {path} cannot be read: {error}.",
                "It is TOML with the sections never_null, may_be_null, texts and shapes.",
            ) from error

    def is_never_null(self, owner: str, name: str) -> bool:
        """Say whether a column is known not to be null."""
        return name in self.never_null.get(owner, ())

    def is_null_in_answers(self, owner: str, name: str) -> bool:
        """Say whether answers leave a column out that the table always has."""
        return name in self.may_be_null.get(owner, ())

    def check(self, catalog: Catalog) -> None:
        """Raise CatalogUnreadable for a hint about something that does not exist."""
        known = set()
        for relation in catalog.relations.values():
            known |= {f"{relation.name}.{column.name}" for column in relation.columns}
        for function in catalog.functions:
            known.add(function.name)
            known |= {f"{function.name}.{argument.name}" for argument in function.arguments}
        named = {
            f"{owner}.{name}"
            for hints in (self.never_null, self.may_be_null)
            for owner, names in hints.items()
            for name in names
        }
        for name in sorted((named | set(self.texts) | set(self.shapes)) - known):
            raise CatalogUnreadable(
                f"The hints speak of {name}, which is not in the schema.",
                "Correct its name, or remove the hint.",
            )
