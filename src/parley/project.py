"""The project that a stack serves: the folder with ``supabase/``."""

from __future__ import annotations

import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

from parley.errors import StateUnusable
from parley.resources import ROOT


class Project:
    """A folder that holds ``supabase/`` with config.toml, migrations and seeds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "supabase"

    @classmethod
    def here(cls) -> Project | None:
        """Return the project around the current folder; None when there is none."""
        here = Path.cwd()
        return next(
            (found for root in (here, *here.parents) if (found := cls(root)).is_there), None
        )

    @classmethod
    def find(cls) -> Project:
        """Return the project around the current folder, else the one that Parley brings along."""
        return cls.here() or cls(ROOT)

    @property
    def is_there(self) -> bool:
        """Whether the folder is that of a Supabase project."""
        return (self.folder / "config.toml").is_file() or (self.folder / "migrations").is_dir()

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
