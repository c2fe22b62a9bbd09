"""The next migration of a project: its number is later than that of every other."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from parley.project import Project


def next_migration(project: Project, name: str, now: dt.datetime | None = None) -> Path:
    """Return where a migration called ``name`` goes, which is applied after all that are there.

    Its number is the present time in UTC, as the Supabase CLI has it, or one more than the last
    number in the folder where that is in the future.
    """
    moment = now or dt.datetime.now(dt.UTC)
    numbers = [path.name.partition("_")[0] for path in project.migrations]
    last = max((int(number) for number in numbers if number.isdecimal()), default=0)
    number = max(int(f"{moment:%Y%m%d%H%M%S}"), last + 1)
    return project.folder / "migrations" / f"{number}_{name}.sql"
