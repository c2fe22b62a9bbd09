"""``parley upgrade``: the migrations that lead a project to the version of this package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parley.errors import UpgradeRefused
from parley.finding import Finding
from parley.installing.found import find_parley
from parley.installing.migration import next_migration
from parley.installing.plan import Change, function_files
from parley.installing.release import Step, steps, this_release
from parley.project import Project
from parley.upgrading.functions import digest, name_of, released_functions
from parley.upgrading.standing import require_parley, require_same, require_unchanged
from parley.versions import is_older

CHECK = (
    "Run 'parley upgrade', read the migration that it writes, then run 'supabase db push --remote'."
)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The steps that a project lacks, in their order; none when it has this version.

    ``functions`` are files of Edge Functions that are new or are as the release before left them;
    ``kept`` are those that the project changed.
    """

    project: Project
    before: str
    after: str
    steps: tuple[Step, ...]
    functions: tuple[Change, ...]
    kept: tuple[Path, ...]

    def write(self) -> list[Path]:
        """Write a migration for each step, later than all that are there, and the functions."""
        written = []
        for step in self.steps:
            name = f"parley_{step.before}_to_{step.after}"
            path = next_migration(self.project, name)
            path.write_text(step.sql, encoding="utf-8")
            written.append(path)
        for change in self.functions:
            change.path.parent.mkdir(parents=True, exist_ok=True)
            change.path.write_bytes(change.after.encode())
            written.append(change.path)
        return written


def plan_upgrade(project: Project, db_url: str | None = None) -> Upgrade:
    """Find out what a project lacks of this version.

    With a database, that has to have what the project's migrations make. Raises NotInstalled, and
    UpgradeRefused for what somebody changed and where no release leads on.
    """
    held = require_parley(project)
    require_unchanged(held)
    if db_url is not None:
        require_same(db_url, held)
    target = this_release().version
    found = way(held.version, target)
    changes, kept = function_changes(project, held.version) if found else ((), ())
    return Upgrade(project, held.version, target, found, changes, kept)


def function_changes(project: Project, before: str) -> tuple[tuple[Change, ...], tuple[Path, ...]]:
    """Return the files of functions to write, and those that the project changed itself."""
    released = released_functions(before)
    changes, kept = [], []
    for path, text in function_files(project):
        found = path.read_text() if path.is_file() else None
        if found is None or digest(found) == released.get(name_of(path)):
            changes.append(Change(path, found, text))
        elif found != text:
            kept.append(path)
    return tuple(each for each in changes if each.before != each.after), tuple(kept)


def way(before: str, after: str) -> tuple[Step, ...]:
    """Return the steps from one version to another, none left out. Raises UpgradeRefused."""
    if is_older(after, before):
        raise UpgradeRefused(
            f"The project has Parley {before}, and this package is Parley {after}.",
            f"Install the package of the project: pip install 'parley-chat=={before}'.",
        )
    found: list[Step] = []
    while (here := found[-1].after if found else before) != after:
        step = next((each for each in steps() if each.before == here), None)
        if step is None or is_older(after, step.after):
            raise UpgradeRefused(
                f"Nothing in this package leads from Parley {here} to {after}.",
                "Install the versions of the package in between one after the other, and run "
                "'parley upgrade' with each.",
            )
        found.append(step)
    return tuple(found)


def describe_standing(project: Project) -> Finding:
    """Tell in a line whether a project has the version of this package, for its CI."""
    name, version = "upgrade", this_release().version
    held = find_parley(project)
    if held is None or not held.is_ours:
        return Finding(name, False, "The project has no Parley.", "Run 'parley init'.")
    if held.differences:
        return Finding(name, False, held.differences[0], "Run 'parley doctor'.")
    if held.version == version:
        return Finding(name, True, f"The project has Parley {version}, as this package.")
    detail = f"The project has Parley {held.version}, and this package is Parley {version}."
    return Finding(name, False, detail, CHECK)
