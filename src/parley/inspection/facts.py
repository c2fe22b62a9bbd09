"""Facts about a database, read in one query each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row, scalar_row

from parley.inspection.queries import query


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that most checks need. ``exposed`` is empty if the database does not set it."""

    version: str
    now: dt.datetime
    is_installed: bool
    exposed: list[str]
    missing_partitions: list[str]
    may_delete_broadcasts: bool
    has_history: bool
    has_cron: bool


@dataclass(frozen=True, slots=True)
class Job:
    """A job in pg_cron that calls Parley's maintenance, and how its last run ended."""

    name: str
    is_active: bool
    has_failed: bool
    said: str


def read_facts(connection: psycopg.Connection[Any]) -> Facts:
    """Read the facts of a database."""
    with connection.cursor(row_factory=class_row(Facts)) as cursor:
        facts = cursor.execute(query("facts")).fetchone()
    if facts is None:
        raise psycopg.DataError("The database did not answer the query for facts.")
    return facts


def read_jobs(connection: psycopg.Connection[Any]) -> list[Job]:
    """Return the jobs of pg_cron that call Parley's maintenance."""
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(query("jobs")).fetchall()


def count_left_rooms(connection: psycopg.Connection[Any]) -> int:
    """Count the closed accounts that are still in rooms or tenants after an hour."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(query("left_rooms")).fetchone() or 0)
