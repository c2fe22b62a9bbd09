"""The entries of the audit, newest first, and whether each follows from the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from parley.errors import AuditUnreadable
from parley.queries import queries

PAGE = 200
Entry = dict[str, Any]
"""An entry as ``chat.list_audit`` returns it, with its time and ids as text."""

query = queries("parley.auditing")


@dataclass(frozen=True)
class Verdict:
    """What ``chat.verify_audit`` says; ``contains_known_head`` is null where no head was asked for
    or its entry was purged. ``broken_at`` is the seq of the first entry that does not follow."""

    is_intact: bool
    broken_at: int | None
    entries: int
    first_seq: int | None
    head: str | None
    contains_known_head: bool | None


def read_audit(url: str) -> Iterator[Entry]:
    """Yield all entries, the newest first. ``url`` is that of the role postgres.

    Each hash is computed here from what the entry says and the hash of the entry before.
    Raises AuditUnreadable, also at an entry that does not follow from the one before.
    """
    with reading(url) as connection:
        newer: Entry | None = None
        before: int | None = None
        while True:
            page = connection.execute(query("list_audit"), {"before": before, "size": PAGE})
            rows = page.fetchall()
            for row in rows:
                if newer is not None:
                    check(newer, row)
                newer = row
                yield row
            if len(rows) < PAGE:
                return
            before = rows[-1]["seq"]


def check(entry: Entry, before: Entry) -> None:
    """Compute the hash of an entry. Raises AuditUnreadable if it is another one."""
    content = bytes.fromhex(before["hash"]) + entry["sealed"].encode()
    said = json.loads(entry["sealed"])
    shown = [entry[name] for name in ("seq", "actor_id", "via", "action", "tenant_id")]
    shown += [entry[name] for name in ("room_id", "subject_id", "details")]
    if hashlib.sha256(content).hexdigest() != entry["hash"] or said[:1] + said[2:] != shown:
        raise AuditUnreadable(
            f"Entry {entry['seq']} of the audit does not follow from entry {before['seq']}.",
            "Somebody changed one of them. Compare with an older copy, and keep this one.",
        )


def verify(url: str, known_head: str | None) -> Verdict:
    """Ask the database whether its audit is whole, and contains a head that was kept elsewhere.

    Raises AuditUnreadable, also if the head is none.
    """
    with reading(url) as connection:
        (row,) = connection.execute(query("verify_audit"), {"known_head": known_head}).fetchall()
    return Verdict(**row["verdict"])


@contextmanager
def reading(url: str) -> Iterator[psycopg.Connection[Entry]]:
    """Connect; what the database says against it becomes AuditUnreadable."""
    try:
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            yield connection
    except psycopg.Error as error:
        raise AuditUnreadable(
            f"The audit cannot be read: {error.diag.message_detail or str(error).strip()}",
            error.diag.message_hint or "Connect as the role postgres to a database with Parley.",
        ) from error
