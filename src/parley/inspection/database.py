"""The checks of ``parley doctor`` on a database."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
from psycopg.errors import InsufficientPrivilege

from parley.errors import StateUnusable
from parley.finding import Finding, not_looked_at
from parley.inspection.advisors import ask_advisors
from parley.inspection.dependents import describe_dependents
from parley.inspection.facts import Facts, Job, count_left_rooms, read_facts, read_jobs
from parley.inspection.health import describe_health
from parley.inspection.moderation import describe_moderation
from parley.inspection.promises import describe_promises, kept_promises
from parley.inspection.sentences import first_line, listing
from parley.inspection.topics import describe_topics
from parley.inspection.version import (
    PUSH,
    describe_history,
    describe_version,
    read_history,
    read_version,
)
from parley.installing.found import find_parley
from parley.project import Project

MAJOR = 17
CLOCK_SECONDS = 5.0


def inspect_database(url: str, *, everything: bool = False) -> list[Finding]:
    """Check the database at ``url`` without changing it. Use the role postgres: others see less.

    ``everything`` also tells what of the adopter's uses Parley, and what the advisors say of it.
    """
    try:
        connection = psycopg.connect(url)
    except psycopg.Error as error:
        return [unreachable(error)]
    try:
        with connection:
            connection.read_only = True
            findings = describe_database(connection)
            if everything:
                findings.append(describe_dependents(connection))
    except psycopg.OperationalError as error:
        return [unreachable(error)]
    except InsufficientPrivilege as error:
        detail = f"This role may not look at Parley's schemas: {first_line(error)}."
        return [Finding("rights", False, detail, "Connect as the role postgres.")]
    return [*findings, ask_advisors(url, everything=everything)]


def describe_database(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Run all checks but the advisors."""
    facts = read_facts(connection)
    findings = [*describe_server(facts), describe_schema(facts)]
    if not facts.is_installed:
        return findings
    version = read_version(connection)
    findings += [describe_version(version), *describe_content(connection, version)]
    project = Project.here()
    history = read_history(connection) if facts.has_history else {}
    findings += [
        describe_history(history, find_parley(project) if project else None),
        describe_exposure(facts),
        describe_partitions(facts),
        describe_replay(facts),
        *describe_jobs(read_jobs(connection) if facts.has_cron else None),
    ]
    try:
        with connection.transaction():
            return [*findings, *describe_work(connection)]
    except InsufficientPrivilege:
        raise
    except psycopg.ProgrammingError as error:
        detail = f"Parley's schemas are not as this version expects them: {first_line(error)}."
        return [*findings, Finding("work", False, detail, "Mend what is told above.")]


def describe_content(connection: psycopg.Connection[Any], version: str | None) -> list[Finding]:
    """Compare what a database holds with what its version promises."""
    kept = kept_promises(version) if version else None
    if kept is not None:
        return describe_promises(connection, kept)
    return [
        not_looked_at(
            "content",
            "Tables, functions, policies and grants were not compared: this package does not know "
            "what the version of the database promises.",
            "Bring database and package to one version, as told above.",
        )
    ]


def describe_work(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Check what is done with Parley's tables: topics, maintenance, queues, moderation."""
    return [
        describe_topics(connection),
        describe_maintenance(count_left_rooms(connection)),
        *describe_health(connection),
        *describe_moderation(connection),
    ]


def describe_server(facts: Facts) -> list[Finding]:
    """Check the version and the clock."""
    apart = abs((dt.datetime.now(dt.UTC) - facts.now).total_seconds())
    return [
        Finding(
            "database version",
            int(facts.version.split(".")[0]) >= MAJOR,
            f"The database is Postgres {facts.version}; Parley needs {MAJOR} or newer.",
            f"Upgrade the database to Postgres {MAJOR}.",
        ),
        Finding(
            "clock",
            apart < CLOCK_SECONDS,
            f"The clocks of the database and of this machine are {apart:.1f} seconds apart.",
            "Set the clock of this machine. Sign-in tokens are refused when clocks differ.",
        ),
    ]


def describe_schema(facts: Facts) -> Finding:
    """Check that both schemas are there."""
    if facts.is_installed:
        return Finding("schema", True, "The schemas chat and chat_private are there.")
    return Finding(
        "schema",
        False,
        "The schemas chat and chat_private are not both there, so Parley is not installed.",
        f"Run 'parley init' in the folder of the project if it lacks Parley. {PUSH}",
    )


def describe_exposure(facts: Facts) -> Finding:
    """Check which schemas the API exposes, from the database, else from config.toml."""
    name = "exposed schemas"
    told = [each.strip(" \"'") for entry in facts.exposed for each in entry.split(",")]
    project = Project.here()
    try:
        exposed = told or (project.section("api").get("schemas") if project else None)
    except StateUnusable:
        exposed = None
    if exposed is None:
        return not_looked_at(
            name,
            "Which schemas the API exposes was not looked at: neither the database nor a "
            "config.toml here says it.",
            "Run 'parley doctor' in the folder of the project, or look at the project's API "
            "settings: chat has to be exposed, and chat_private must not be.",
        )
    source = "the settings of the database" if told else "config.toml"
    faults = []
    if "chat" not in exposed:
        faults.append(f"The API does not expose the schema chat, says {source}.")
    if "chat_private" in exposed:
        faults.append(f"The API exposes the schema chat_private, says {source}.")
    return listing(
        name,
        faults,
        "In the project's API settings and in config.toml, expose chat and never chat_private.",
        f"The API exposes chat and not chat_private, says {source}.",
    )


def describe_partitions(facts: Facts) -> Finding:
    """Check that there are partitions of `realtime.messages` for today and tomorrow."""
    return listing(
        "partitions of realtime.messages",
        [
            f"There is no partition realtime.messages_{day}: what is broadcast on that day is lost."
            for day in facts.missing_partitions
        ],
        "Realtime creates partitions while a client is connected. Connect one, then look again.",
        "Realtime's partitions of today and tomorrow are there.",
    )


def describe_replay(facts: Facts) -> Finding:
    """Check that Parley may take broadcasts back, or Realtime replays what was edited or purged."""
    name = "taking back broadcasts"
    if facts.may_delete_broadcasts:
        return Finding(name, True, "Parley may take edited and deleted texts out of replay.")
    return Finding(
        name,
        False,
        "The role postgres has no right to delete from realtime.messages.",
        "All else works. For up to three days, members of a large room who use Realtime's replay "
        "can still read what a message said before it was edited, deleted or purged. "
        "Ask Supabase for the right, or purge with that in mind.",
    )


def describe_jobs(jobs: list[Job] | None) -> list[Finding]:
    """Check the jobs in pg_cron that call maintenance; None means that there is no pg_cron."""
    name = "cron jobs"
    if jobs is None:
        return [
            not_looked_at(
                name,
                "Whether chat.run_maintenance() is called every minute was not looked at: "
                "pg_cron is not installed.",
                "Call it every minute from a server of yours with the secret key, or install "
                "pg_cron.",
            )
        ]
    active = [job for job in jobs if job.is_active]
    failed = [
        f"The last run of the job {job.name} failed: {job.said.strip().rstrip('.')}."
        for job in active
        if job.has_failed
    ]
    return [
        Finding(
            name,
            bool(active),
            f"pg_cron calls chat.run_maintenance() in the job {active[0].name}."
            if active
            else "No active job of pg_cron calls chat.run_maintenance().",
            "Run 'select chat_private.attach();' as postgres, which makes the job. If there is one "
            "that is switched off, switch it on with cron.alter_job.",
        ),
        listing(
            "last runs of cron jobs",
            failed,
            "Correct what the message names, then run 'select chat.run_maintenance();' by hand. "
            "Earlier runs are in cron.job_run_details.",
            "No last run of such a job failed.",
        ),
    ]


def describe_maintenance(left: int) -> Finding:
    """Check that run_maintenance has no backlog."""
    accounts = "1 closed account is" if left == 1 else f"{left} closed accounts are"
    return Finding(
        "maintenance",
        not left,
        f"{accounts} still in rooms or tenants, more than an hour after closing."
        if left
        else "No closed account is left in a room or tenant.",
        "Call chat.run_maintenance() every minute, with the secret key or pg_cron.",
    )


def unreachable(error: psycopg.Error) -> Finding:
    """Return the finding for a database that cannot be asked."""
    detail = f"The database does not answer: {first_line(error)}."
    return Finding("connection", False, detail, "Check the URL and its password.")
