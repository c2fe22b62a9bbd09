"""Searches in a copy: its index leads to what may match, and the texts decide."""

from __future__ import annotations

import sqlite3
from typing import Any

from parley.sync.asked import read_query
from parley.sync.database import Database
from parley.sync.queries import query
from parley.sync.rows import EPOCH, MICROSECOND
from parley.sync.view_models import Message
from parley.sync.words import room_word

NEWEST = 2**63 - 1
SLOTS = 4096
"""So many ids belong to a millisecond."""


def search(
    database: Database, words: str, room_id: str | None, page_size: int, before: Message | None
) -> list[sqlite3.Row]:
    """Return the rows of messages that match, the newest first, after ``before``.

    Raises InvalidInput, StoreUnusable.
    """
    asked = read_query(words)
    if not asked.alternatives:
        return []
    time = None if before is None else (before.created_at - EPOCH) // MICROSECOND
    values: dict[str, Any] = {
        "query": asked.for_fts5(*([] if room_id is None else [f'"{room_word(room_id)}"'])),
        "room_id": room_id,
        "page_size": page_size + 1,
        "before": time,
        "before_room_id": None if before is None else str(before.room_id),
        "before_seq": None if before is None else before.seq,
        "below": NEWEST if time is None else (time // 1000 + 1) * SLOTS,
    }
    found: list[sqlite3.Row] = []
    while True:
        rows = database.all(query("message_found"), values)
        for row in rows:
            # Ids are in the order of coming within a millisecond, so all of it is looked at.
            if len(found) >= page_size and row["id"] // SLOTS < found[page_size - 1]["id"] // SLOTS:
                return _page(found, page_size)
            if asked.matches(row["body"]):
                found.append(row)
        if len(rows) < values["page_size"]:
            return _page(found, page_size)
        values |= {"below": rows[-1]["id"], "page_size": 4 * values["page_size"]}


def _page(found: list[sqlite3.Row], page_size: int) -> list[sqlite3.Row]:
    found.sort(key=lambda row: (row["created_at"], row["room_id"], row["seq"]), reverse=True)
    return found[:page_size]
