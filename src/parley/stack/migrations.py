"""Migrations and seeds, applied as the non-superuser ``postgres``."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path

import psycopg

from parley.errors import MigrationFailed
from parley.stack.binaries import node_modules
from parley.stack.lite import find_node
from parley.stack.project import Project
from parley.stack.state import State, write_private

AGAIN = "Correct it and start again; 'parley reset' applies everything anew."


async def push_migrations(state: State, project: Project) -> None:
    """Apply what is pending with the Supabase CLI. Raises MigrationFailed.

    The CLI gets the password from the environment and a folder of its own for what it remembers;
    it reports nothing to anybody.
    """
    if not await has_pending(state, project):
        return
    process = await asyncio.create_subprocess_exec(
        find_node(),
        str(node_modules() / "supabase" / "dist" / "supabase.js"),
        *("db", "push", "--yes", "--agent", "no", "--output-format", "json"),
        *("--workdir", str(project.root)),
        f"--remote=postgresql://postgres@127.0.0.1:{state.db_port}/postgres?sslmode=disable",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "PGPASSWORD": state.password,
            "SUPABASE_HOME": str(state.home / "cli"),
            "SUPABASE_TELEMETRY_DISABLED": "1",
            "DO_NOT_TRACK": "1",
        },
    )
    output, words = (data.decode(errors="replace") for data in await process.communicate())
    if process.returncode != 0:
        raise MigrationFailed(explain_refusal(output, words), AGAIN)
    remember_digests(state, project)


async def has_pending(state: State, project: Project) -> bool:
    """Say whether files and history differ; starting the CLI to hear that takes a while."""
    async with await psycopg.AsyncConnection.connect(state.db_url) as connection:
        rows = await connection.execute("select version from supabase_migrations.schema_migrations")
        applied = {version for (version,) in await rows.fetchall()}
    return applied != {path.name.split("_")[0] for path in project.migrations}


def explain_refusal(output: str, words: str) -> str:
    """Make one sentence of what the CLI printed when it failed."""
    try:
        message = str(json.loads(output)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = words.strip() or "it gave no reason"
    applied = [line for line in words.splitlines() if line.startswith("Applying migration ")]
    where = applied[-1].removeprefix("Applying migration ").rstrip(".") if applied else ""
    first = " ".join(line.strip() for line in message.splitlines() if line.strip())
    return (
        f"The migration {where} was refused: {first}"
        if where
        else (f"The migrations were refused: {first}")
    )


def edited_migrations(state: State, project: Project) -> list[str]:
    """Return the names of applied migrations whose file has changed since."""
    known = read_digests(state)
    return [
        path.name
        for path in project.migrations
        if known.get(path.name, digest(path)) != digest(path)
    ]


def remember_digests(state: State, project: Project) -> None:
    """Write down what the applied files looked like when they were applied."""
    digests = {path.name: digest(path) for path in project.migrations} | read_digests(state)
    write_private(state.home / "migrations.json", json.dumps(digests, indent=2) + "\n")


def read_digests(state: State) -> dict[str, str]:
    """Return the digest of each applied migration by its name."""
    try:
        return dict(json.loads((state.home / "migrations.json").read_text()))
    except (OSError, ValueError):
        return {}


def digest(path: Path) -> str:
    """Return what tells one version of a file from another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def run_seeds(state: State, project: Project) -> list[Path]:
    """Run every seed file, each in one transaction, and return them. Raises MigrationFailed."""
    seeds = project.seeds
    async with await psycopg.AsyncConnection.connect(state.db_url) as connection:
        for seed in seeds:
            try:
                async with connection.transaction():
                    await connection.execute(seed.read_bytes())
            except psycopg.Error as error:
                raise MigrationFailed(
                    f"The seed {seed.name} was refused: {error.diag.message_primary or error}.",
                    "Correct it, then run 'parley seed' again.",
                ) from error
    return seeds
