"""What a project and its database have of Parley, as a ground to go on from."""

from __future__ import annotations

import psycopg

from parley.errors import NotInstalled, UpgradeRefused
from parley.finding import Finding
from parley.inspection.promises import describe_promises, kept_promises
from parley.inspection.sentences import first_line, shortened
from parley.inspection.version import read_version
from parley.installing.found import Found, find_parley
from parley.project import Project


def require_parley(project: Project) -> Found:
    """Return what the migrations of a project have of Parley. Raises NotInstalled."""
    held = find_parley(project)
    if held is None or not held.is_ours:
        raise NotInstalled(
            f"There is no Parley in {project.folder / 'migrations'}.",
            "Run 'parley init' in the folder of the project, or name it with --project.",
        )
    return held


def require_unchanged(held: Found) -> None:
    """Raise UpgradeRefused when somebody edited Parley's migrations in a project."""
    if held.differences:
        raise UpgradeRefused(
            " ".join(shortened(list(held.differences))),
            "Nothing leads on from SQL that Parley did not write. Put the text of the release "
            "back; 'parley doctor' says the same until it is there.",
        )


def require_same(url: str, held: Found) -> None:
    """Raise UpgradeRefused when a database is not what the migrations of the project make."""
    try:
        with psycopg.connect(url) as connection:
            version = read_version(connection)
            kept = kept_promises(held.version)
            findings = describe_promises(connection, kept) if version and kept else []
    except psycopg.Error as error:
        raise UpgradeRefused(
            f"The database cannot be read: {first_line(error)}.",
            "Check the URL and its password, and connect as the role postgres.",
        ) from error
    if version != held.version:
        has = f"has Parley {version}" if version else "has no Parley that says its version"
        raise UpgradeRefused(
            f"The migrations of the project make Parley {held.version}, and the database {has}.",
            "Run 'supabase db push --remote' in the folder of the project first.",
        )
    require_good(findings)


def require_good(findings: list[Finding]) -> None:
    """Raise UpgradeRefused when a database differs from its release."""
    told = [each.detail for each in findings if not each.good]
    if told:
        raise UpgradeRefused(
            f"The database is not as its release left it. {' '.join(told)}",
            "'parley doctor' says how to mend each of these. Then run this again.",
        )
