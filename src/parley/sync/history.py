"""Older messages than the copy keeps: read page by page, and kept in step from then on."""

from __future__ import annotations

from collections.abc import Sequence

from parley.api import ChatApi
from parley.errors import ParleyError
from parley.sync.batches import BatchSize
from parley.sync.kinds import ROOM_KINDS
from parley.sync.remote import ANY, Server
from parley.sync.rows import BIGGEST, Row, refused
from parley.sync.steps import members
from parley.sync.store import Store

ABOUT = {"reactions": "seq", "pins": "seq", "receipts": "up_to_seq"}
ORDER = {"reactions": "seq,user_id,emoji", "pins": "seq", "receipts": "user_id,kind,up_to_seq"}
PAGE_MOST = 200
MARKS_MOST = 5000
"""With more reactions or receipts than this, a page has fewer messages. One always comes whole."""


class History:
    """Older messages of one copy. After a failure the next call asks for half as many."""

    def __init__(self, store: Store, server: Server) -> None:
        self._store = store
        self._server = server
        self._size = BatchSize()

    async def load(self, room_id: str, page_size: int) -> int:
        """As ``load_older``."""
        try:
            count = await load_older(self._store, self._server, room_id, self._size.of(page_size))
        except ParleyError:
            self._size.shrink()
            raise
        self._size.grow()
        return count


async def load_older(store: Store, server: Server, room_id: str, page_size: int) -> int:
    """Fetch messages from before the oldest one here; returns how many came, 0 at the beginning.

    The range is lowered first, so that steps about these messages are kept from then on; the
    rows that are read afterwards never replace newer ones. Raises Unreachable, ApiError,
    AnswerRefused.
    """
    held = store.held(room_id)
    if held is None or held.first_seq <= 1:
        return 0
    size = min(page_size, PAGE_MOST)
    lowest = max(1, held.first_seq - size)
    with store.keeping_from(room_id, lowest):
        arguments = {"room_id": room_id, "before": held.first_seq, "page_size": size}
        # The server ends a page where it would become too long.
        answer = await server.call(ChatApi.list_messages.__name__, arguments, ANY)
        messages = members(answer, "messages")
        check("messages", "seq", messages, room_id, range(lowest, held.first_seq))
        if not messages:
            return 0
        while True:
            first = min(row["seq"] for row in messages)
            most = MARKS_MOST if len(messages) > 1 else None
            rows: dict[str, Sequence[Row]] = {"messages": messages}
            for table, column in ABOUT.items():
                filters = {
                    "room_id": f"eq.{room_id}",
                    column: f"gte.{first}",
                    "and": f"({column}.lt.{held.first_seq})",
                    "order": ORDER[table],
                }
                if table == "receipts":
                    filters["rev"] = "not.is.null"
                rows[table] = await server.select(table, filters, most)
                check(table, column, rows[table], room_id, range(first, held.first_seq))
                if most is not None and len(rows[table]) > most:
                    break
            else:
                break
            messages = sorted(messages, key=lambda row: row["seq"])[(len(messages) + 1) // 2 :]
        done = store.extend(room_id, held.first_seq, first, rows)
    return len(messages) if done else 0


def check(table: str, about: str, rows: Sequence[Row], room_id: str, asked: range) -> None:
    """Hold rows to what was asked for. Raises AnswerRefused."""
    ROOM_KINDS[table].check(rows, BIGGEST, room_id)
    if not all(row[about] in asked for row in rows):
        raise refused(f"there is a row of {table} that was not asked for")
