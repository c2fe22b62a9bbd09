"""The outbox on its way, against an API that asks for patience."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from uuid import UUID

from parley.api import ChatApi
from parley.errors import SlowDown
from parley.models import MarksRow
from parley.sync.outbox import Outbox
from parley.sync.sender import Sender
from parley.sync.store import Store
from tests.unit.sync_fakes import ME, ROOM


class BusyApi:
    """Refuses the first call of each kind for a minute; counts them all."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def mark_delivered(self, cursors: dict[UUID, int], device_id: str) -> list[MarksRow]:
        """Refuse."""
        self.calls.append("delivered")
        raise SlowDown("Wait.", retry_after=60)

    async def mark_read(self, room_id: UUID, seq: int) -> MarksRow:
        """Take it."""
        self.calls.append("read")
        row: dict[str, Any] = {"user_id": ME, "room_id": room_id, "rev": 2}
        return MarksRow.model_validate(row | {"delivered_seq": seq, "read_seq": seq})


async def test_marks_that_come_too_fast_wait_and_hold_up_no_other_room(tmp_path: Path) -> None:
    store = Store(tmp_path / "ann.db")
    store.bind("http://here", ME)
    outbox = Outbox(store)
    api = BusyApi()
    sender = Sender(store, outbox, cast(ChatApi, api), lambda item, rev: None)
    outbox.add("delivered", ROOM, seq=12)
    outbox.add("read", "00000000-0000-4000-8000-000000000002", seq=3)
    wait = await sender.flush()
    assert api.calls == ["delivered", "read"]
    assert wait is not None and 50 < wait <= 60
    assert [(each.kind, each.state) for each in outbox.items(None, "pending")] == [
        ("delivered", "pending")
    ]
    store.close()
