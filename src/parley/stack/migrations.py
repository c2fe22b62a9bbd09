"""Migrations and seeds, applied as the non-superuser ``postgres``."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from parley.errors import MigrationFailed
from parley.node import supabase_cli
from parley.project import Project
from parley.resources import CARRIED
from parley.stack.state import State, write_private

AGAIN = "Correct it and start again; 'parley reset' applies everything anew."


async def push_migrations(state: State, project: Project) -> None:
    """Apply what is pending with the Supabase CLI. Raises MigrationFailed.

    The CLI gets the password from the environment and keeps its own files in a folder of ours. Its
    telemetry is off.
    """
    if not await has_pending(state, project):
        return
    with writable_root(project) as root:
        process = await asyncio.create_subprocess_exec(
            *supabase_cli(),
            *("db", "push", "--yes", "--agent", "no", "--output-format", "json"),
            *("--workdir", str(root)),
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


@contextlib.contextmanager
def writable_root(project: Project) -> Iterator[Path]:
    """Give the root of a project; the CLI writes into it, so that of a wheel is copied for it."""
    if project.root != CARRIED:
        yield project.root
        return
    with tempfile.TemporaryDirectory(prefix="parley-push-") as folder:
        shutil.copytree(project.folder, Path(folder, "supabase"))
        yield Path(folder)


async def has_pending(state: State, project: Project) -> bool:
    """Whether files and history differ. Asking the CLI instead would take seconds."""
    async with await psycopg.AsyncConnection.connect(state.db_url) as connection:
        rows = await connection.execute("select version from supabase_migrations.schema_migrations")
        applied = {version for (version,) in await rows.fetchall()}
    return applied != {path.name.split("_")[0] for path in project.migrations}


def explain_refusal(output: str, words: str) -> str:
    """Make one sentence of the output of a CLI that failed."""
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
    """Record the digests of the files that have been applied."""
    digests = {path.name: digest(path) for path in project.migrations} | read_digests(state)
    write_private(state.home / "migrations.json", json.dumps(digests, indent=2) + "\n")


def read_digests(state: State) -> dict[str, str]:
    """Return the digest of each applied migration by its name."""
    try:
        return dict(json.loads((state.home / "migrations.json").read_text()))
    except (OSError, ValueError):
        return {}


def digest(path: Path) -> str:
    """Return the digest of a file's content."""
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
