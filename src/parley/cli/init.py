"""``parley init``: puts Parley into a Supabase project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.options import AsJson
from parley.cli.packages import fetch_missing_packages
from parley.cli.terminal import put, tell
from parley.errors import InstallRefused
from parley.installing.config_check import ask_about_config
from parley.installing.plan import Plan, make_plan
from parley.project import Project

LEFT = (
    "Apply the migration: 'parley up' for a local stack; 'supabase db push --remote' for the "
    "linked project (before version 3 of the Supabase CLI without --remote).",
    "On a hosted project, which no push sets: Project Settings > Data API > Exposed schemas, add "
    "chat. Never expose chat_private.",
    "On a hosted project: Realtime > Settings, switch off 'Allow public access'.",
    "Enable the extension pg_cron before the push, and maintenance becomes a job. If it comes "
    "later, run: select chat_private.attach();",
    "For pushes and for files that nobody needs any more: 'supabase functions deploy "
    "send-chat-push collect-chat-files', and their secrets (docs/push.md, docs/attachments.md).",
    "Check it: 'parley doctor --db-url postgresql://…'.",
)
"""What is left to do afterwards, in this order."""


def init(
    project: Annotated[
        Path | None,
        typer.Option(help="Folder of the project; when left out the one around this folder."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; print what would be written.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put Parley into an existing Supabase project.

    It writes one migration, later than all others, exposes the schema chat in config.toml, copies
    the Edge Functions, and prints what is left to do. Run again, it changes nothing.
    """
    where = Project(project.resolve()) if project else Project.here()
    if where is None or not (where.folder / "config.toml").is_file():
        raise InstallRefused(
            f"There is no supabase/config.toml in {where.root if where else Path.cwd()}.",
            "Run 'supabase init' there first, or name the project with --project.",
        )
    fetch_missing_packages()
    opinion = ask_about_config(where)
    for warning in opinion.warnings:
        tell(f"The Supabase CLI says: {warning}")
    if opinion.complaint is not None:
        raise InstallRefused(
            f"The Supabase CLI refuses config.toml: {opinion.complaint}",
            "Correct that, then run 'parley init' again. Nothing was changed.",
        )
    plan = make_plan(where)
    if not dry_run:
        plan.write()
    if as_json:
        put(json.dumps(summary(plan, dry_run), indent=2))
        return
    report(plan, where, dry_run)


def summary(plan: Plan, dry_run: bool) -> dict[str, object]:
    """Return a plan as what ``--json`` prints."""
    return {
        "version": plan.version,
        "written": [] if dry_run else [str(change.path) for change in plan.changes],
        "to_write": [str(change.path) for change in plan.changes] if dry_run else [],
        "found": [str(path) for path in plan.found.files] if plan.found else [],
        "kept": [str(path) for path in plan.kept],
        "left": list(LEFT),
    }


def report(plan: Plan, project: Project, dry_run: bool) -> None:
    """Tell what was done and what is left to do; with ``dry_run`` print the changes."""
    if plan.found:
        count = len(plan.found.files)
        files = "1 migration" if count == 1 else f"{count} migrations"
        tell(f"The project has Parley {plan.version} already, in {files}.")
    for path in plan.kept:
        tell(f"{path.relative_to(project.root)} is not as Parley has it, and was left alone.")
    for change in plan.changes:
        if dry_run:
            put(change.describe(project.root).removesuffix("\n"))
        else:
            verb = "Wrote" if change.before is None else "Changed"
            tell(f"{verb} {change.path.relative_to(project.root)}.")
    if not plan.changes:
        tell("Nothing was changed.")
        return
    if not dry_run:
        tell("What is left to do:")
        for number, step in enumerate(LEFT, 1):
            tell(f"{number}. {step}")
