"""The checks of ``parley doctor`` on a database."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg

from parley.api import ChatApi
from parley.inspection.advisors import ask_advisors
from parley.inspection.facts import (
    Facts,
    Job,
    count_left_rooms,
    read_facts,
    read_history,
    read_jobs,
)
from parley.inspection.promises import describe_promises
from parley.stack.doctor import Finding
from parley.stack.project import Project

MAJOR = 17
CLOCK_SECONDS = 5.0
OURS = "20261121"
"""How the versions of Parley's own migrations begin."""

PUSH = "Run 'supabase db push'."


def inspect_database(url: str) -> list[Finding]:
    """Look at the database at ``url`` and change nothing; the role postgres sees all there is."""
    try:
        with psycopg.connect(url) as connection:
            connection.read_only = True
            findings = describe_database(connection)
    except psycopg.OperationalError as error:
        return [Finding("connection", False, first_line(error), "Check the URL and its password.")]
    except psycopg.Error as error:
        return [Finding("rights", False, first_line(error), "Connect as the role postgres.")]
    return [*findings, ask_advisors(url)]


def describe_database(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Look at everything but the advisors."""
    facts = read_facts(connection)
    findings = [
        *describe_server(facts),
        Finding("schema", facts.is_installed, "chat and chat_private", PUSH),
    ]
    if not facts.is_installed:
        return findings
    return [
        *findings,
        describe_extensions(facts),
        describe_history(read_history(connection) if facts.has_history else set()),
        describe_exposure(facts),
        *describe_promises(connection),
        describe_functions(facts),
        describe_partitions(facts),
        *describe_jobs(read_jobs(connection) if facts.has_cron else None),
        describe_maintenance(count_left_rooms(connection)),
    ]


def describe_server(facts: Facts) -> list[Finding]:
    """Look at version and clock."""
    apart = abs((dt.datetime.now(dt.UTC) - facts.now).total_seconds())
    return [
        Finding(
            "database version",
            int(facts.version.split(".")[0]) >= MAJOR,
            facts.version,
            f"Upgrade to {MAJOR}.",
        ),
        Finding(
            "clock",
            apart < CLOCK_SECONDS,
            f"{apart:.1f} s from the one here",
            "Set the clock of this machine; sign-in tokens depend on it.",
        ),
    ]


def describe_extensions(facts: Facts) -> Finding:
    """Look for the extensions that the migrations make."""
    remedy = " ".join(
        f"create extension {name} with schema extensions;" for name in facts.missing_extensions
    )
    missing = [f"no {name}" for name in facts.missing_extensions]
    return listing("extensions", missing, f"Run: {remedy}", "all there")


def describe_history(applied: set[str]) -> Finding:
    """Compare the applied migrations with the files of the project."""
    files = {path.name.split("_")[0] for path in Project.find().migrations}
    pending = sorted(files - applied)
    unknown = sorted(version for version in applied - files if version.startswith(OURS))
    words = [f"not applied: {', '.join(pending)}"] if pending else []
    words += [f"not in this folder: {', '.join(unknown)}"] if unknown else []
    return Finding("migrations", not words, "; ".join(words) or f"all {len(files)} applied", PUSH)


def describe_exposure(facts: Facts) -> Finding:
    """Look at the schemas that the API shows: as the database tells, else as config.toml does."""
    told = [name.strip(" \"'") for entry in facts.exposed for name in entry.split(",")]
    exposed = told or Project.find().section("api").get("schemas", [])
    return Finding(
        "exposed schemas",
        "chat" in exposed and "chat_private" not in exposed,
        f"{', '.join(exposed) or 'none'}, as {'the database' if told else 'config.toml'} says",
        "Expose chat and never chat_private, under API settings and in config.toml.",
    )


def describe_functions(facts: Facts) -> Finding:
    """Compare the functions that may be called with those of the package."""
    generated = {name for name in vars(ChatApi) if not name.startswith("_")}
    differing = sorted(generated ^ set(facts.functions))
    remedy = f"{PUSH[:-1]}, or update the package: these are in one and not in the other."
    return listing("functions", differing, remedy, f"the same {len(generated)} as in the package")


def describe_partitions(facts: Facts) -> Finding:
    """Look for the partitions of today and tomorrow."""
    return listing(
        "partitions of realtime.messages",
        [f"no messages_{day}" for day in facts.missing_partitions],
        "Realtime makes them while somebody is connected; steps are lost until it has.",
        "today's and tomorrow's",
    )


def describe_jobs(jobs: list[Job] | None) -> list[Finding]:
    """Look at what pg_cron runs for us; None is without pg_cron."""
    if jobs is None:
        return [
            Finding("cron jobs", True, "no pg_cron; something else has to call run_maintenance")
        ]
    active = [job for job in jobs if job.is_active]
    failed = [f"{job.name}: {job.said}" for job in active if job.has_failed]
    return [
        Finding(
            "cron jobs",
            bool(active),
            ", ".join(f"{job.name}" for job in active) or "none calls chat.run_maintenance()",
            "Run: select cron.schedule('parley', '* * * * *', 'select chat.run_maintenance()');",
        ),
        listing(
            "last runs of cron jobs",
            failed,
            "Read cron.job_run_details, then run it by hand.",
            "none failed",
        ),
    ]


def describe_maintenance(left: int) -> Finding:
    """Look at what run_maintenance has not come to yet."""
    return Finding(
        "maintenance",
        not left,
        f"{left} closed accounts are still in rooms after an hour" if left else "nothing waits",
        "Call chat.run_maintenance() every minute, with the secret key or pg_cron.",
    )


def listing(name: str, found: list[str], hint: str, praise: str) -> Finding:
    """Return a finding that is good while nothing was found."""
    return Finding(name, not found, "; ".join(found) or praise, hint)


def first_line(error: psycopg.Error) -> str:
    """Return what the database said first."""
    return str(error).strip().splitlines()[0]
