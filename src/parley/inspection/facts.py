"""What a database says about itself, read once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row, scalar_row

from parley.inspection.queries import query


@dataclass(frozen=True, slots=True)
class Facts:
    """One look. ``exposed`` is empty where the API is not told by the database."""

    version: str
    now: dt.datetime
    is_installed: bool
    missing_extensions: list[str]
    exposed: list[str]
    functions: list[str]
    missing_partitions: list[str]
    has_history: bool
    has_cron: bool


@dataclass(frozen=True, slots=True)
class Job:
    """A scheduled job of ours and its last run."""

    name: str | None
    is_active: bool
    has_failed: bool
    said: str


def read_facts(connection: psycopg.Connection[Any]) -> Facts:
    """Look at a database."""
    with connection.cursor(row_factory=class_row(Facts)) as cursor:
        facts = cursor.execute(query("facts")).fetchone()
    if facts is None:
        raise psycopg.DataError("no answer to the question for facts")
    return facts


def read_history(connection: psycopg.Connection[Any]) -> set[str]:
    """Return the versions of the applied migrations."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return set(cursor.execute(query("history")).fetchall())


def read_jobs(connection: psycopg.Connection[Any]) -> list[Job]:
    """Return the jobs of pg_cron that call Parley."""
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(query("jobs")).fetchall()


def count_left_rooms(connection: psycopg.Connection[Any]) -> int:
    """Count the closed accounts that are still in rooms after an hour."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(query("left_rooms")).fetchone() or 0)
