"""Which Parley a database and a project have: its version, its files, and what was applied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.errors import InvalidSchemaName, UndefinedFunction

from parley.finding import Finding, not_looked_at
from parley.inspection.queries import query
from parley.inspection.sentences import listing, shortened, some
from parley.installing.found import Found, find_parley
from parley.project import Project
from parley.versions import __version__, is_older

OURS = re.compile(r"2026112100\d{4}")
"""The versions of Parley's chapters, for a project that copied them one by one."""
OUR_NAME = re.compile(r"parley_\d")
"""How the names of the migrations begin that 'parley init' and 'parley upgrade' write."""
PUSH = "Run 'supabase db push --remote' in the folder of the project."


def read_version(connection: psycopg.Connection[Any]) -> str | None:
    """Return which Parley a database has; None where it is one from before 0.1.0, or is none."""
    try:
        with connection.transaction():
            found = connection.execute(query("version")).fetchone()
    except (InvalidSchemaName, UndefinedFunction):
        return None
    return None if found is None else str(found[0])


def describe_version(version: str | None) -> Finding:
    """Compare the version of a database with that of this package."""
    name = "version"
    if version == __version__:
        return Finding(name, True, f"The database and this package have Parley {version}.")
    if version is None:
        return Finding(
            name,
            False,
            "The database has a Parley from before 0.1.0, which nothing leads on from.",
            "Export what you need, run 'parley uninstall' and 'parley init', then import it again.",
        )
    return Finding(
        name,
        False,
        f"The database has Parley {version}, and this package is Parley {__version__}.",
        f"Run 'parley upgrade' in the project. {PUSH}"
        if is_older(version, __version__)
        else f"Install the package of the database: pip install 'parley-chat=={version}'.",
    )


def describe_project(project: Project | None) -> Finding:
    """Compare Parley's migrations in a project with what its version has in them."""
    name = "project"
    held = find_parley(project) if project else None
    if held is None:
        return not_looked_at(
            name,
            "Parley's migrations in a project were not looked at: there are none in a folder "
            "supabase/migrations here or above.",
            "Run 'parley doctor' in the folder of the project, or 'parley init' to install Parley.",
        )
    if not held.differences and held.version != __version__:
        return Finding(
            name,
            False,
            f"The project has Parley {held.version}, and this package is Parley {__version__}.",
            "Run 'parley upgrade' in the folder of the project."
            if is_older(held.version, __version__)
            else f"Install the package of the project: pip install 'parley-chat=={held.version}'.",
        )
    return listing(
        name,
        shortened(list(held.differences)),
        "Put the text of the release back, and make changes of your own in a migration of your own "
        "that touches nothing of Parley's.",
        f"The project's migrations make Parley {held.version}, and none of them was edited.",
    )


def read_history(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Return the applied migrations: names by number."""
    return dict(connection.execute(query("history")).fetchall())


def describe_history(applied: Mapping[str, str], held: Found | None) -> Finding:
    """Compare the applied migrations of Parley with those in the project; others are not ours."""
    name = "migrations"
    if held is None:
        return not_looked_at(
            name,
            "Which migrations are applied was not looked at: none of Parley's are in a folder "
            "supabase/migrations here or above.",
            "Run 'parley doctor' in the folder of the project to have them compared.",
        )
    ours = {path.name.split("_")[0] for path in held.files}
    pending = sorted(ours - applied.keys())
    unknown = sorted(
        number
        for number, title in applied.items()
        if number not in ours and (OURS.fullmatch(number) or OUR_NAME.match(title))
    )
    told, remedies = [], []
    if pending:
        told.append(f"The database has no record that it applied {some('migration', pending)}.")
        remedies.append(
            f"{PUSH} If their statements were run in another way, record that with "
            "'supabase migration repair --status applied' and their numbers."
        )
    if unknown:
        told.append(
            f"The folder supabase/migrations here lacks {some('migration', unknown)}, which the "
            "database has applied."
        )
        remedies.append("Update Parley's files in supabase/migrations to the version in use.")
    praise = (
        "The migration of Parley is applied."
        if len(ours) == 1
        else f"All {len(ours)} migrations of Parley are applied."
    )
    return listing(name, told, " ".join(remedies), praise)
