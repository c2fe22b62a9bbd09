"""Older messages than the copy keeps: read page by page, and kept in step from then on."""

from __future__ import annotations

from parley.sync.remote import Server
from parley.sync.store import Store

ABOUT = {"messages": "seq", "reactions": "seq", "pins": "seq", "receipts": "up_to_seq"}
ORDER = {"messages": "seq", "reactions": "seq,user_id,emoji", "pins": "seq"}


async def load_older(store: Store, server: Server, room_id: str, page_size: int) -> int:
    """Fetch the page before the oldest message here; returns how many messages came.

    The range is lowered first, so that steps about these messages are kept from then on; the
    rows that are read afterwards never replace newer ones. Raises Unreachable, ApiError.
    """
    held = store.held(room_id)
    if held is None or held.first_seq <= 1:
        return 0
    first = max(1, held.first_seq - page_size)
    with store.keeping_from(room_id, first):
        rows = {}
        for table, column in ABOUT.items():
            filters = {
                "room_id": f"eq.{room_id}",
                column: f"gte.{first}",
                "and": f"({column}.lt.{held.first_seq})",
                "order": ORDER.get(table, "user_id,kind,up_to_seq"),
            }
            if table == "receipts":
                filters["rev"] = "not.is.null"
            rows[table] = await server.select(table, filters)
        # Below the first message that is there, nothing is: retention took it, or it is not ours.
        first = min((row["seq"] for row in rows["messages"]), default=held.first_seq)
        done = store.extend(room_id, held.first_seq, first, rows)
    return len(rows["messages"]) if done else 0
