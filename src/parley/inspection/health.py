"""The checks of ``parley doctor`` on what waits, fails or was lost: ``chat_private.health()``."""

from __future__ import annotations

from typing import Any

import psycopg

from parley.finding import Finding

MINUTE, HOUR = 60, 3600
Facts = dict[str, Any]


def describe_health(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Check pushes, files, broadcasts, erasures and the audit."""
    found = connection.execute("select chat_private.health()").fetchone()
    health: dict[str, Facts] = found[0] if found is not None else {}
    return [
        describe_pushes(health["push"]),
        describe_files(health["files"]),
        describe_broadcasts(health["broadcasts"]),
        describe_erasures(health["erasures"]),
        describe_audit(health["audit"]),
        describe_delivery(health["delivery"]),
    ]


def describe_pushes(push: Facts) -> Finding:
    """Check that somebody claims pushes, where there are devices, and that they arrive."""
    told = []
    if push["can_reach_devices"] and (push["outbox_age"] or 0) > 10 * MINUTE:
        told.append(f"Nobody has claimed pushes for {words(push['outbox_age'])}.")
    if push["failing"]:
        told.append(f"{push['failing']} pushes have failed three times or more.")
    return Finding(
        "pushes",
        not told,
        " ".join(told) or f"{push['waiting']} pushes wait, and none fails.",
        "Look at the log of the function send-chat-push; docs/push.md says how it is woken.",
    )


def describe_files(files: Facts) -> Finding:
    """Check that files that are to go do go."""
    overdue = files["overdue_age"] or 0
    return Finding(
        "file queue",
        overdue < HOUR and not files["failing"],
        f"{files['waiting']} files wait to be removed, the first of them for {words(overdue)}; "
        f"{files['failing']} have failed three times or more."
        if files["waiting"]
        else "No file waits to be removed.",
        "Look at the log of collect-chat-files; docs/attachments.md says what wakes it.",
    )


def describe_broadcasts(broadcasts: Facts) -> Finding:
    """Check that steps were announced."""
    lost = broadcasts["lost"]
    return Finding(
        "broadcasts",
        not lost,
        f"{lost} steps were not announced within a day: {broadcasts['last_error']}."
        if lost
        else "Every step of the last day was announced.",
        "Check that realtime.messages has a partition for today and that nothing locks it.",
    )


def describe_erasures(erasures: Facts) -> Finding:
    """Check that people who were to be erased are."""
    age = erasures["oldest_age"] or 0
    return Finding(
        "erasures",
        age < HOUR,
        f"{erasures['open']} erasures are not finished, the oldest for {words(age)}."
        if erasures["open"]
        else "No erasure is unfinished.",
        "Call chat.run_maintenance() every minute, with the secret key or pg_cron.",
    )


def describe_audit(audit: Facts) -> Finding:
    """Check that the audit is sealed, and give its head away."""
    age = audit["oldest_age"] or 0
    head = f"Its head is {audit['head']}." if audit["head"] else "Nothing is sealed yet."
    return Finding(
        "audit",
        age < HOUR,
        f"{head} {audit['unsealed']} entries are not sealed yet.",
        "Call chat.run_maintenance() every minute, with the secret key or pg_cron.",
    )


def describe_delivery(delivery: Facts) -> Finding:
    """Tell how long messages take to devices; a phone that was off counts as well."""
    if not delivery["receipts"]:
        return Finding("delivery", True, "Nobody received a message within 15 minutes.")
    return Finding(
        "delivery",
        True,
        f"Of {delivery['receipts']} receipts of the last 15 minutes half came within "
        f"{delivery['p50_ms']} ms, and 99 of 100 within {delivery['p99_ms']} ms.",
    )


def words(seconds: int) -> str:
    """Say a time in the unit that fits."""
    if seconds < 2 * MINUTE:
        return f"{seconds} seconds"
    return f"{seconds // MINUTE} minutes" if seconds < 2 * HOUR else f"{seconds // HOUR} hours"
