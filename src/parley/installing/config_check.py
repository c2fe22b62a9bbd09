"""The Supabase CLI's own opinion of a project's config.toml."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from parley.errors import InstallRefused
from parley.node import supabase_cli
from parley.project import Project

SECONDS = 60
NOWHERE = "postgresql://postgres@127.0.0.1:1/postgres?sslmode=disable"
"""A database that does not answer. The CLI reads the file before it asks a database."""
UNANSWERED = "DbConnectError"


@dataclass(frozen=True, slots=True)
class Opinion:
    """Why the CLI refuses the file, None when it takes it; and what it warns of, a line each."""

    complaint: str | None
    warnings: tuple[str, ...]


def ask_about_config(project: Project) -> Opinion:
    """Let the Supabase CLI read config.toml, without any connection or change.

    Raises NodeMissing, PackagesMissing, InstallRefused when the CLI gives no answer.
    """
    scratch = project.folder / ".temp"
    was_there = scratch.exists()
    with tempfile.TemporaryDirectory(prefix="parley-cli-") as home:
        try:
            done = subprocess.run(
                [
                    *supabase_cli(),
                    *("migration", "list", "--output-format", "json", "--agent", "no"),
                    *("--workdir", str(project.root.resolve()), f"--remote={NOWHERE}"),
                ],
                env={
                    **os.environ,
                    "SUPABASE_HOME": home,
                    "SUPABASE_TELEMETRY_DISABLED": "1",
                    "DO_NOT_TRACK": "1",
                },
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise no_answer(f"nothing within {SECONDS} seconds") from error
        finally:
            if not was_there:
                shutil.rmtree(scratch, ignore_errors=True)
    try:
        refusal = json.loads(done.stdout)["error"]
        code, message = str(refusal["code"]), str(refusal["message"])
    except (ValueError, KeyError, TypeError) as error:
        raise no_answer((done.stderr or done.stdout).strip() or "nothing") from error
    lines = done.stderr.splitlines()
    warnings = tuple(line.partition(" ")[2] for line in lines if line.startswith("WARN: "))
    return Opinion(None if code == UNANSWERED else message.strip(), warnings)


def no_answer(said: str) -> InstallRefused:
    """Return the refusal for a CLI that does not say what it thinks."""
    return InstallRefused(
        f"The Supabase CLI was asked about config.toml and answered {said}.",
        "Run 'supabase migration list' in the project, and correct what it says.",
    )
