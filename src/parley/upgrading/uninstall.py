"""``parley uninstall``: the migration that takes exactly Parley out of a database."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import psycopg

from parley.errors import UninstallRefused
from parley.inspection.dependents import dependents_query, read_dependents
from parley.inspection.promises import Promises, kept_promises
from parley.inspection.sentences import first_line
from parley.installing.config import without_parley
from parley.installing.migration import next_migration
from parley.installing.plan import Change, function_files
from parley.project import Project
from parley.queries import queries
from parley.upgrading.standing import require_parley

query = queries("parley.upgrading")


@dataclass(frozen=True, slots=True)
class Uninstall:
    """The migration, and what of the adopter's goes with Parley as far as it is known.

    ``config`` is what config.toml becomes, None where it stays; ``functions`` are the files of
    Parley's Edge Functions that the project did not change.
    """

    project: Project
    version: str
    sql: str
    dependents: tuple[str, ...]
    config: Change | None
    functions: tuple[Path, ...]

    def write(self) -> Path:
        """Do all of it, and return the migration: it is later than all that are there."""
        path = next_migration(self.project, f"parley_{self.version}_uninstall")
        path.write_text(self.sql, encoding="utf-8")
        if self.config is not None:
            self.config.path.write_bytes(self.config.after.encode())
        for each in self.functions:
            each.unlink()
            if not any(each.parent.iterdir()):
                each.parent.rmdir()
        return path


def plan_uninstall(project: Project, db_url: str | None, *, cascade: bool = False) -> Uninstall:
    """Find out what has to go, and what of the adopter's uses it.

    Without a database only the migration itself looks for the latter, wherever it is pushed. Raises
    NotInstalled, and UninstallRefused with the list, unless ``cascade`` lets all of that go too.
    """
    version = require_parley(project).version
    kept = kept_promises(version)
    found = look(db_url, kept) if db_url is not None else []
    if found and not cascade:
        raise UninstallRefused(
            f"Parley did not make these, and they use it: {'; '.join(found)}.",
            "Change or drop them first. With --cascade what cannot be without Parley is dropped: "
            "constraints, columns, policies, views, triggers and functions. What speaks of it in "
            "its text alone stays, and fails.",
        )
    text = migration(version, kept, found, cascade)
    return Uninstall(
        project, version, text, tuple(found), config_change(project), unchanged_functions(project)
    )


def config_change(project: Project) -> Change | None:
    """Return what takes Parley out of config.toml; None where it is not in there."""
    path = project.folder / "config.toml"
    before = path.read_bytes().decode() if path.is_file() else ""
    after = without_parley(before) if before.strip() else before
    return None if after == before else Change(path, before, after)


def unchanged_functions(project: Project) -> tuple[Path, ...]:
    """Return the files of Parley's Edge Functions that are in a project as Parley has them."""
    files = function_files(project)
    return tuple(path for path, text in files if path.is_file() and path.read_text() == text)


def look(url: str, kept: Promises | None) -> list[str]:
    """Return what of the adopter's uses Parley in a database. Raises UninstallRefused."""
    try:
        with psycopg.connect(url) as connection:
            connection.read_only = True
            return read_dependents(connection, kept)
    except psycopg.Error as error:
        raise UninstallRefused(
            f"The database cannot be read: {first_line(error)}.",
            "Check the URL and its password, and connect as the role postgres.",
        ) from error


def migration(version: str, kept: Promises | None, found: list[str], cascade: bool) -> str:
    """Return the text of the migration."""
    listed = dependents_query(kept).as_string(None)
    refusal = query("refusal").replace("{dependents}", textwrap.indent(listed.rstrip(), " " * 6))
    told = "".join(f"-- Goes too: {each}.\n" for each in found)
    whole = query("uninstall").replace("{version}", version).replace("{found}\n", told)
    return whole.replace("{refusal}\n", "" if cascade else refusal)
