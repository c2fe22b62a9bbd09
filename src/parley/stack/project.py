"""The project that a stack serves: the folder with ``supabase/``."""

from __future__ import annotations

import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

from parley.errors import StateUnusable


class Project:
    """A folder that holds ``supabase/`` with config.toml, migrations and seeds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "supabase"

    @classmethod
    def find(cls) -> Project:
        """Return the project around the current folder, else the one Parley was installed from.

        Raises StateUnusable when there is neither.
        """
        here = Path.cwd()
        for root in (here, *here.parents, *Path(__file__).resolve().parents):
            if (root / "supabase" / "migrations").is_dir():
                return cls(root)
        raise StateUnusable(
            "There is no folder supabase/migrations here or above.",
            "Change into a Supabase project, or into the checkout of Parley.",
        )

    @cached_property
    def config(self) -> dict[str, Any]:
        """The parsed config.toml, empty when absent. Raises StateUnusable."""
        path = self.folder / "config.toml"
        try:
            return tomllib.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StateUnusable(f"{path} cannot be read: {error}.", "Correct the file.") from error

    def section(self, name: str) -> dict[str, Any]:
        """Return a section of config.toml by its dotted name, empty when absent."""
        section: Any = self.config
        for word in name.split("."):
            section = section.get(word, {})
        return dict(section)

    @property
    def migrations(self) -> list[Path]:
        """The migrations in the order in which they are applied."""
        return sorted((self.folder / "migrations").glob("*.sql"))

    @property
    def seeds(self) -> list[Path]:
        """The seed files that config.toml names, in that order."""
        settings = self.section("db.seed")
        if not settings.get("enabled", True):
            return []
        patterns = settings.get("sql_paths", ["./seed.sql"])
        return [path for pattern in patterns for path in sorted(self.folder.glob(pattern))]
