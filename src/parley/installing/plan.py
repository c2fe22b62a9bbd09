"""What ``parley init`` changes in a project, worked out before anything is written."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parley.errors import InstallRefused
from parley.installing.config import with_parley
from parley.installing.found import Found, find_parley
from parley.installing.migration import next_migration
from parley.installing.release import SUPABASE, this_release
from parley.project import Project

FUNCTIONS = ("_parley", "collect-chat-files", "send-chat-push")
"""The folders of Parley's Edge Functions; the first holds what the others share."""
MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is written; ``before`` is None where there is none yet."""

    path: Path
    before: str | None
    after: str

    def describe(self, root: Path) -> str:
        """Return the difference as a unified diff; of a new file, its name and length."""
        name = self.path.relative_to(root).as_posix()
        if self.before is None:
            return f"new file {name}: {self.after.count(chr(10))} lines\n"
        lines = (self.before.splitlines(keepends=True), self.after.splitlines(keepends=True))
        return "".join(difflib.unified_diff(*lines, f"a/{name}", f"b/{name}"))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written, and what stands in the way of nothing but is not as Parley has it.

    ``found`` are migrations that make Parley already, ``kept`` are functions that the project
    changed.
    """

    version: str
    found: Found | None
    changes: tuple[Change, ...]
    kept: tuple[Path, ...]

    def write(self) -> None:
        """Write the files. Raises InstallRefused."""
        for change in self.changes:
            try:
                change.path.parent.mkdir(parents=True, exist_ok=True)
                change.path.write_bytes(change.after.encode())
            except OSError as error:
                raise InstallRefused(
                    f"{change.path} cannot be written: {error.strerror}.",
                    "Correct that and run 'parley init' again; it goes on with what is missing.",
                ) from error


def make_plan(project: Project) -> Plan:
    """Work out what puts Parley into a project. Raises InstallRefused."""
    release = this_release()
    found = find_parley(project)
    if found is not None:
        check(found, release.version)
    changes = []
    if found is None:
        path = next_migration(project, f"parley_{release.version}")
        changes.append(Change(path, None, release.sql))
    config = project.folder / "config.toml"
    before = config.read_bytes().decode()
    after = with_parley(before)
    if after != before:
        changes.append(Change(config, before, after))
    kept = []
    for path, text in function_files(project):
        if not path.exists():
            changes.append(Change(path, None, text))
        elif path.read_text() != text:
            kept.append(path)
    return Plan(release.version, found, tuple(changes), tuple(kept))


def check(found: Found, version: str) -> None:
    """Refuse a project that holds something else than this version. Raises InstallRefused."""
    if not found.is_ours:
        raise InstallRefused(
            found.differences[0],
            "Parley's functions and tables need that name. Rename your schema, then try again.",
        )
    if found.differences:
        shown = " ".join(found.differences[:MOST_SHOWN])
        more = len(found.differences) - MOST_SHOWN
        raise InstallRefused(
            f"The project holds Parley, but not as version {found.version} has it. {shown}"
            + (f" And {more} more." if more > 0 else ""),
            "Undo these changes, or install the version of parley-chat that the files come from.",
        )
    if found.version != version:
        raise InstallRefused(
            f"The project holds Parley {found.version}, and this is {version}.",
            "Run 'parley upgrade'.",
        )


def function_files(project: Project) -> Iterator[tuple[Path, str]]:
    """Yield each file of Parley's functions: where it goes in a project, and its text."""
    source = SUPABASE / "functions"
    for folder in FUNCTIONS:
        for path in sorted((source / folder).glob("*.ts")):
            yield project.folder / "functions" / path.relative_to(source), path.read_text()
