"""``parley audit``: prints who did what that others have to answer for, and checks it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from parley.auditing import Verdict, read_audit, verify
from parley.cli.local_database import local_url
from parley.cli.options import Data, DbUrl
from parley.cli.terminal import put, tell
from parley.stack.state import find_home


def audit(
    *,
    known_head: Annotated[
        str | None,
        typer.Option(
            help="A head that this command, health or an export gave before: <seq>:<hash>. "
            "Tells whether the history still contains it."
        ),
    ] = None,
    db_url: DbUrl = None,
    data: Data = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what the check says as JSON, and no entries.")
    ] = False,
) -> None:
    """Print the audit as JSON lines, newest first, and check it.

    Each line is an entry. Exits 1 when an entry was changed or taken out, or when the history does
    not contain the known head.
    """
    url = db_url or local_url(find_home(data))
    if not as_json:
        for entry in read_audit(url):
            put(json.dumps(entry, ensure_ascii=False))
    verdict = verify(url, known_head)
    if as_json:
        put(json.dumps(asdict(verdict)))
    else:
        for sentence in sentences(verdict, known_head):
            tell(sentence)
    if not verdict.is_intact or verdict.contains_known_head is False:
        raise typer.Exit(1)


def sentences(verdict: Verdict, known_head: str | None) -> list[str]:
    """Say what the check found, and what to do."""
    told = [
        f"All {verdict.entries} entries follow from the ones before."
        if verdict.is_intact
        else f"Entry {verdict.broken_at} does not follow from the one before: it was changed, "
        "or the one before was changed or taken out."
    ]
    if verdict.contains_known_head is False:
        told.append("The history does not contain the known head: it was changed since.")
    elif verdict.contains_known_head:
        told.append("The history contains the known head.")
    elif known_head is not None:
        told.append("The entry of the known head was purged, so nothing can be said about it.")
    if verdict.head is not None:
        told.append(
            f"Keep this head where nobody who owns the database can change it: {verdict.head}"
        )
    return told
