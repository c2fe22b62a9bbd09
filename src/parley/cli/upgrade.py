"""``parley upgrade``: writes the migration that leads a project to the version of the package."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from parley.cli.options import AsJson, DbUrl, ProjectDir, chosen_project
from parley.cli.terminal import on_one_line, put, tell
from parley.upgrading import describe_standing, plan_upgrade


def upgrade(
    project: ProjectDir = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit 1 when an upgrade is to be written."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the SQL, and write nothing.")
    ] = False,
    db_url: DbUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write the migrations that lead to this version of Parley.

    There is one for each release in between. Nothing is written for a project in which Parley's
    migrations were edited, nor with --db-url for a database that differs from its release.
    """
    here = chosen_project(project)
    if check:
        standing = describe_standing(here)
        remedy = "" if standing.good else f" {standing.hint}"
        put(on_one_line(f"{standing.detail}{remedy}"))
        raise typer.Exit(0 if standing.good else 1)
    plan = plan_upgrade(here, db_url)
    if dry_run:
        for step in plan.steps:
            put(step.sql)
        return
    written = [str(path.relative_to(here.root)) for path in plan.write()]
    if as_json:
        put(json.dumps({"from": plan.before, "to": plan.after, "written": written}))
        return
    if not written:
        tell(f"The project has Parley {plan.after}, as this package. There is nothing to do.")
    for path in written:
        put(path)
    for kept in plan.kept:
        tell(f"{kept.relative_to(here.root)} is not as Parley had it, and was left alone.")
    if written:
        tell(
            f"Read what was written: it leads from Parley {plan.before} to {plan.after}. Then run "
            "'supabase db push --remote', first on a copy of your database."
        )
