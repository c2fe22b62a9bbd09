"""The options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parley.errors import NotInstalled
from parley.project import Project

Data = Annotated[
    Path | None,
    typer.Option(
        help="State folder of the stack; when left out PARLEY_HOME, else .parley in this folder."
    ),
]
DbUrl = Annotated[
    str | None,
    typer.Option(
        envvar="DATABASE_URL", help="URL of any database; when left out that of the local stack."
    ),
]
ProjectDir = Annotated[
    Path | None,
    typer.Option(
        "--project",
        exists=True,
        file_okay=False,
        help="Folder of the Supabase project; when left out the one around this folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Url = Annotated[
    str | None,
    typer.Option(
        envvar="SUPABASE_URL", help="URL of the project; when left out that of the local stack."
    ),
]
Key = Annotated[
    str | None,
    typer.Option(envvar="SUPABASE_KEY", help="Publishable key of the project.", show_envvar=True),
]
Email = Annotated[
    str | None,
    typer.Option(
        envvar="PARLEY_EMAIL", help="E-mail address to sign in with; asked for when needed."
    ),
]
Password = Annotated[
    str | None,
    typer.Option(
        envvar="PARLEY_PASSWORD",
        help="Password of the account; safer in the environment, where other users cannot see it.",
    ),
]
StorePath = Annotated[
    Path, typer.Option("--store", envvar="PARLEY_STORE", help="File of the local copy.")
]


def chosen_project(folder: Path | None) -> Project:
    """Return the project in a folder, or around the current one. Raises NotInstalled."""
    project = Project.here() if folder is None else Project(folder)
    if project is None or not project.is_there:
        raise NotInstalled(
            f"There is no Supabase project in {folder or Path.cwd()}.",
            "Run this in the folder that holds supabase/config.toml, or name it with --project.",
        )
    return project
