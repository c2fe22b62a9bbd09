"""The checks of ``parley doctor`` on a database."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row, scalar_row

from parley.api import ChatApi
from parley.inspection.advisors import ask_advisors
from parley.stack.doctor import Finding
from parley.stack.project import Project

FACTS = Path(__file__).parent / "facts.sql"
MAJOR = 17
CLOCK_SECONDS = 5.0
PUSH = "Run 'supabase db push'."
GRANTS = "Revoke it, and look who granted it: the migrations give select and execute only."


def inspect_database(url: str) -> list[Finding]:
    """Look at the database at ``url``; a role like postgres sees all there is to see."""
    try:
        with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
            facts = connection.execute(FACTS.read_bytes()).fetchone() or {}
            findings = [
                *describe_server(facts),
                Finding("schema", facts["is_installed"], "chat and chat_private", PUSH),
            ]
            if not facts["is_installed"]:
                return findings
            return [
                *findings,
                describe_extensions(facts),
                describe_history(connection),
                *describe_promises(facts),
                *describe_realtime(facts),
                *describe_maintenance(connection, facts),
                ask_advisors(url),
            ]
    except psycopg.Error as error:
        words = str(error).strip().splitlines()[0]
        return [Finding("connection", False, words, "Check the URL and its password.")]


def describe_server(facts: dict[str, Any]) -> list[Finding]:
    """Look at version and clock."""
    apart = abs((dt.datetime.now(dt.UTC) - facts["now"]).total_seconds())
    return [
        Finding("postgres", facts["major"] >= MAJOR, f"version {facts['major']}", "Upgrade to 17."),
        Finding(
            "clock",
            apart < CLOCK_SECONDS,
            f"{apart:.1f} s from the one here",
            "Set the clock of this machine; sign-in tokens depend on it.",
        ),
    ]


def describe_extensions(facts: dict[str, Any]) -> Finding:
    """Look for the extensions that the migrations make."""
    missing = facts["missing_extensions"]
    return Finding(
        "extensions",
        not missing,
        f"missing: {', '.join(missing)}" if missing else "all there",
        f"Run: create extension {missing[0]} with schema extensions;" if missing else "",
    )


def describe_history(connection: psycopg.Connection[dict[str, Any]]) -> Finding:
    """Compare the applied migrations with the files of the project."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        applied = set(
            cursor.execute("select version from supabase_migrations.schema_migrations").fetchall()
        )
    files = {path.name.split("_")[0] for path in Project.find().migrations}
    pending, unknown = sorted(files - applied), sorted(applied - files)
    words = [f"not applied: {', '.join(pending)}"] if pending else []
    words += [f"not in this folder: {', '.join(unknown)}"] if unknown else []
    return Finding("migrations", not words, "; ".join(words) or f"all {len(files)} applied", PUSH)


def describe_promises(facts: dict[str, Any]) -> list[Finding]:
    """Look at exposure, row level security, grants and functions."""
    exposed = [name.strip(" \"'") for entry in facts["exposed"] for name in entry.split(",")]
    is_open = "chat_private" in exposed
    is_shut = bool(exposed) and "chat" not in exposed
    generated = {name for name in vars(ChatApi) if not name.startswith("_")}
    differing = sorted(generated ^ set(facts["functions"]))
    return [
        Finding(
            "exposed schemas",
            not is_open and not is_shut,
            ", ".join(exposed) or "not told by the database; config.toml names them",
            "Expose chat and never chat_private, under API settings or in config.toml.",
        ),
        listing("row level security", facts["tables_without_rls"], "Enable it on these tables."),
        listing("grants on tables", facts["table_grants"], GRANTS),
        listing("grants on functions", facts["function_grants"], GRANTS),
        listing(
            "functions",
            differing,
            f"{PUSH[:-1]}, or update the package: these differ from its API.",
        ),
    ]


def describe_realtime(facts: dict[str, Any]) -> list[Finding]:
    """Look at the policies and partitions of realtime.messages."""
    return [
        Finding(
            "topic policies",
            facts["topic_policies"] >= 2,
            f"{facts['topic_policies']} on realtime.messages",
            f"Without them nobody can join a topic. {PUSH}",
        ),
        listing(
            "partitions of realtime.messages",
            facts["missing_partitions"],
            "Realtime makes them while somebody is connected; steps are lost until it has.",
        ),
    ]


def describe_maintenance(
    connection: psycopg.Connection[dict[str, Any]], facts: dict[str, Any]
) -> list[Finding]:
    """Look at the schedule of run_maintenance, and at what it has not come to yet."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        waiting = cursor.execute(
            "select count(distinct p.user_id) from chat.profiles as p"
            " join chat.room_members as m on m.user_id = p.user_id and m.left_at is null"
            " where p.closed_at < now() - interval '1 hour'"
        ).fetchone()
        jobs = (
            facts["has_cron"]
            and cursor.execute(
                "select count(*) from cron.job where active and command ~ 'run_maintenance'"
            ).fetchone()
        )
    words = f"{jobs} jobs" if facts["has_cron"] else "no pg_cron; something else has to call it"
    return [
        Finding(
            "run_maintenance is scheduled",
            bool(jobs) or not facts["has_cron"],
            words,
            "Run: select cron.schedule('parley', '* * * * *', 'select chat.run_maintenance()');",
        ),
        Finding(
            "maintenance",
            not waiting,
            f"{waiting} closed accounts are still in rooms after an hour",
            "Call chat.run_maintenance() every minute, with the secret key or pg_cron.",
        ),
    ]


def listing(name: str, found: list[str], hint: str) -> Finding:
    """Return a finding that is good while nothing was found."""
    return Finding(name, not found, "; ".join(found) or "as promised", hint)
