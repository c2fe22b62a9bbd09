"""A server with tables of the project's own, small enough to see what a client makes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import httpx

from parley.calls import read
from parley.errors import InvalidInput
from parley.sync.remote import ANY
from parley.sync.table_steps import TableAnswer

NORTH = "00000000-0000-4000-8000-0000000000f1"
SOUTH = "00000000-0000-4000-8000-0000000000f2"
PAYMENTS = "public.payments"


def payment(number: int, owner: str = NORTH, status: str = "open", **more: Any) -> dict[str, Any]:
    """A row of ``payments``."""
    return {"id": number, "tenant_id": owner, "status": status, **more}


class FakeTable:
    """A table whose changes are numbered; a cursor is a number for each owner."""

    def __init__(self, *rows: dict[str, Any], owner: str = "tenant") -> None:
        self.timeline = "first"
        self.owner = owner
        self.owners = {NORTH}
        """Those whose rows this account may see."""
        self.rows = {row["id"]: row for row in rows}
        self.touched: list[tuple[int, str]] = [(row["id"], row["tenant_id"]) for row in rows]
        self.shape = 1
        """Another one resets everybody."""
        self.page = 1000
        self.hidden = 0
        """How many of the newest changes a snapshot does not see yet."""
        self.cursors: list[dict[str, Any]] = []
        self.late: list[bool] = []
        """Of each pull, whether a replica might have answered it."""
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens while an answer is on its way."""
        self.now_us: int | None = None
        self.lie: Callable[[Any], Any] = lambda value: value
        self.error: Exception | None = None
        self.where: Callable[[dict[str, Any]], bool] = lambda row: True

    def put(self, *rows: dict[str, Any]) -> None:
        """Write rows; one that had another owner moves."""
        for row in rows:
            before = self.rows.get(row["id"])
            if before is not None and before["tenant_id"] != row["tenant_id"]:
                self.touched.append((row["id"], before["tenant_id"]))
            self.rows[row["id"]] = row
            self.touched.append((row["id"], row["tenant_id"]))

    def delete(self, *numbers: int) -> None:
        """Delete rows."""
        for number in numbers:
            self.touched.append((number, self.rows.pop(number)["tenant_id"]))

    async def pull_table(
        self, name: str, cursor: Mapping[str, Any], *, may_lag: bool
    ) -> TableAnswer:
        """As ``pull_table`` does it."""
        asked = json.loads(json.dumps(cursor))
        self.cursors.append(asked)
        self.late.append(may_lag)
        if self.error is not None:
            raise self.error
        answer = json.dumps(self.lie(self.answer(name, asked)), default=lambda each: f"={each}=")
        answer = re.sub('"=(.*?)="', r"\1", answer)
        self.meanwhile()
        return TableAnswer.read(read(httpx.Response(200, content=answer.encode()), ANY), name)

    def answer(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer before it travels."""
        known = asked["owners"] if asked["timeline"] in (None, self.timeline) else {}
        for state in known.values():
            if state.keys() != {"at", "shape", "first"} or type(state["at"]) is not int:
                raise InvalidInput("This is no cursor of mine.", "")
        left = min(asked["limit"], self.page)
        end = len(self.touched) - self.hidden
        owners, more = [], False
        for owner_id in sorted(self.owners):
            state = known.get(owner_id)
            is_reset = state is None or state["shape"] != self.shape
            at = 0 if state is None or is_reset else state["at"]
            events = [(n, key) for n, (key, owner) in enumerate(self.touched[:end])
                      if n >= at and owner == owner_id]  # fmt: skip
            some, has_more = events[:left], len(events) > left
            left -= len(some)
            # After several pages something may have changed since the first one.
            more |= has_more or (not is_reset and state is not None and state["first"])
            if not some and not is_reset and not has_more:
                continue
            keys = dict.fromkeys(key for _, key in some)
            here = {key: row for key in keys if (row := self.rows.get(key))
                    and row["tenant_id"] == owner_id and self.where(row)}  # fmt: skip
            is_first = is_reset or bool(state and state["first"])
            owners.append(
                {
                    "owner_id": owner_id,
                    "reset": is_reset,
                    "rows": [{"tag": tag(key), "row": row} for key, row in here.items()],
                    "gone": [] if is_reset else [tag(key) for key in keys if key not in here],
                    "cursor": {
                        "at": some[-1][0] + 1 if has_more and some else at if has_more else end,
                        "shape": self.shape,
                        "first": is_first and has_more,
                    },
                    "more": has_more,
                    "fetched": at + len(some) if is_first and has_more else None,
                    "about": len(events) if is_reset else None,
                }
            )
        return {
            "timeline": self.timeline,
            "table": {
                "name": name,
                "owner": self.owner,
                "owner_column": "tenant_id",
                "key": ["id"],
                "columns": {"id": "integer", "tenant_id": "uuid", "status": "text"},
            },
            "owners": owners,
            "dropped": [each for each in known if each not in self.owners],
            "more": more,
        }


def tag(key: int) -> str:
    """What names a row in answers."""
    return sha256(str(key).encode()).hexdigest()[:16]
