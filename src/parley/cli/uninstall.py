"""``parley uninstall``: writes the migration that takes Parley out of a project."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from parley.cli.options import AsJson, DbUrl, ProjectDir, chosen_project
from parley.cli.terminal import put, tell
from parley.upgrading import plan_uninstall

LEFT = """\
Read what was written, take a backup, then run 'supabase db push --remote'. All rooms and messages
go. After that, on a hosted project: take "chat" out of the exposed schemas in the API settings,
delete the functions that you deployed, and empty and delete the buckets chat-attachments and
chat-avatars.
Leave the migrations in place: the history speaks of them."""


def uninstall(
    project: ProjectDir = None,
    cascade: Annotated[
        bool,
        typer.Option("--cascade", help="Let what of yours uses Parley go with it."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the SQL, and write nothing.")
    ] = False,
    db_url: DbUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write the migration that takes exactly Parley out.

    It refuses where something of yours uses Parley: with --db-url at once, otherwise when the
    migration is pushed. With --cascade that goes too. The history of migrations stays. It also
    takes Parley out of config.toml, and deletes the Edge Functions that you did not change.
    """
    here = chosen_project(project)
    plan = plan_uninstall(here, db_url, cascade=cascade)
    if dry_run:
        put(plan.sql)
        return
    path = str(plan.write().relative_to(here.root))
    if as_json:
        put(json.dumps({"written": path, "goes_too": plan.dependents}))
        return
    put(path)
    if plan.config is not None:
        tell('Took "chat" and the functions out of supabase/config.toml.')
    for file in plan.functions:
        tell(f"Deleted {file.relative_to(here.root)}.")
    for each in plan.dependents:
        tell(f"Goes too: {each}.")
    tell(LEFT)
