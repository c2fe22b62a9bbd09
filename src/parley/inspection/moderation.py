"""The checks of ``parley doctor`` on the rule about content, and on reports that nobody answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from parley.finding import Finding
from parley.inspection.queries import query

DAY_HOURS = 24
"""Within this time stores expect an answer to a report."""


@dataclass(frozen=True, slots=True)
class Moderation:
    """The rule about content and how it did since about yesterday, and the open reports."""

    content_check: str | None
    refuses: bool
    is_there: bool
    failures: int
    last_error: str | None
    slow_calls: int
    longest_ms: int
    open_reports: int
    oldest_hours: int


def describe_moderation(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Check the rule about content, and the age of the oldest open report."""
    with connection.cursor(row_factory=class_row(Moderation)) as cursor:
        found = cursor.execute(query("moderation"), {}).fetchone()
    if found is None:
        return [
            Finding(
                "settings",
                False,
                "The row of chat_private.settings is missing, so nobody can send.",
                "Run: insert into chat_private.settings default values;",
            )
        ]
    return [describe_check(found), describe_reports(found)]


def describe_check(found: Moderation) -> Finding:
    """Check that the rule is there, does not fail and is fast."""
    name, told = "content check", []
    if found.content_check is None:
        return Finding(name, True, "There is no rule of your own about content.")
    rule = f"The function {found.content_check} of settings.content_check"
    if not found.is_there:
        told.append(
            f"{rule} is missing, or does not take (uuid, uuid, text, jsonb, jsonb) and return text."
        )
    if found.failures:
        error = f", at last with: {found.last_error}" if found.last_error else ""
        fate = "refused" if found.refuses else "sent without being checked"
        told.append(
            f"{rule} failed {times(found.failures)} within a day or two{error}. "
            f"Such messages are {fate}."
        )
    if found.slow_calls:
        told.append(
            f"{rule} took longer than 20 ms {times(found.slow_calls)} within a day, "
            f"{found.longest_ms} ms at most."
        )
    return Finding(
        name,
        not told,
        " ".join(told) or f"{rule} is there; it neither failed nor was slow.",
        "Correct the function: every message waits for it. Failures are warnings in the log of "
        "Postgres, and those of a week are in chat_private.failed_checks.",
    )


def describe_reports(found: Moderation) -> Finding:
    """Check that no report waits for longer than a day."""
    count = found.open_reports
    reports = "1 report is" if count == 1 else f"{count} reports are"
    return Finding(
        "reports",
        found.oldest_hours < DAY_HOURS,
        f"{reports} open, the oldest for {found.oldest_hours} hours."
        if count
        else "No report is open.",
        "App stores expect an answer within a day. Let a moderator of the room or an admin of the "
        "tenant look at list_reports, act, and call resolve_report.",
    )


def times(number: int) -> str:
    """Say how often."""
    return "once" if number == 1 else f"{number} times"
