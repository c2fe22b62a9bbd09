"""Whatever a server says of a table, the copy refuses it or goes on, and is right again later.

Honest answers are changed in some places, as in ``test_sync_hostile``.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley import Table
from parley.calls import read
from parley.errors import AnswerRefused, ParleyError
from parley.sync.feed import Feed
from parley.sync.remote import ANY
from parley.sync.store import Store
from parley.sync.table import as_tables
from parley.sync.table_puller import TablePuller
from parley.sync.table_reads import TableCopy, reader
from parley.sync.table_steps import TableAnswer, TableCursor
from parley.sync.table_store import TableStore
from tests.unit.sync_fakes import BOB, ME
from tests.unit.table_fakes import NORTH, PAYMENTS, SOUTH, FakeTable, payment
from tests.unit.test_sync_hostile import BRIEFLY, POISON, Lie, folder, lies, nested, template

__all__ = ["folder"]

TABLE = Table(PAYMENTS, newest=("paid_at", 90), indexes=["status"])


class Device:
    """A copy that looks at everything it has after each thing it was told."""

    def __init__(self, folder: str, server: FakeTable) -> None:
        self.server = server
        path = Path(folder) / f"{uuid4()}.db"
        shutil.copy(template(), path)
        self.store = Store(path)
        self.store.execute("pragma synchronous = off")
        self.store.bind("http://here", ME)
        self.puller = TablePuller(
            TableStore(self.store, as_tables([TABLE])),
            server,
            lambda: ME,
            emit=lambda changes: None,
            on_owners=lambda: None,
            rng=random.Random(1),
        )
        self.table: TableCopy[dict[str, Any]] = TableCopy(
            self.store,
            Feed(lambda: None),
            TABLE,
            read=reader(None),
            require_open=lambda: None,
        )

    def kept(self) -> list[tuple[Any, ...]]:
        """All rows, and how far they go."""
        statements = (
            "select * from tables",
            "select * from table_owners",
            "select * from table_rows",
        )
        return [tuple(row) for each in statements for row in self.store.all(each)]

    def contents(self) -> list[tuple[Any, ...]]:
        """All rows as they came, with their owners."""
        rows = self.store.all("select tag, owner_id, row from table_rows")
        return sorted(map(tuple, rows))

    async def sync(self) -> bool:
        """Sync; tells whether it was refused."""
        async with asyncio.timeout(10):
            try:
                await self.puller.sync()
            except ParleyError:
                return True
        return False

    def look(self) -> None:
        """Read everything. There is no row whose owner is not here."""
        strays = (
            "select 1 from table_rows where owner_id not in (select owner_id from table_owners)"
        )
        assert self.store.maybe(strays) is None
        rows = self.table.rows()
        assert all(self.table.rows({"status": "open"}) or True for _ in rows)
        assert self.table.progress.fetched >= 0 and self.puller.dashboards is not None


def honest() -> FakeTable:
    """Two tenants with some payments."""
    server = FakeTable(
        payment(1, NORTH, paid_at="2026-11-21T00:00:00+00:00"),
        payment(2, SOUTH, note={"n": [1.5, None]}),
        payment(3, NORTH, "paid"),
    )
    server.owners = {NORTH, SOUTH}
    return server


async def lie_and_recover(device: Device, lie: Lie) -> None:
    """Let a server lie once; afterwards the copy holds what is so."""
    server, before = device.server, device.kept()
    asked = len(server.cursors)
    left = [lie]
    server.lie = lambda value: left.pop()(value) if left else value
    was_refused = await device.sync()
    device.look()
    if was_refused and len(server.cursors) == asked + 1:
        assert device.kept() == before
    # It may have believed a lie that could have been true; a restore is how a server repents.
    server.timeline += "'"
    for _ in range(2):
        await device.sync()
    assert not await device.sync()
    device.look()
    other = Device(str(Path(device.store.path).parent), server)
    assert not await other.sync()
    assert device.contents() == other.contents()
    other.store.close()
    device.store.close()


@BRIEFLY
@given(lie=lies())
def test_a_first_answer_that_lies(folder: str, lie: Lie) -> None:
    asyncio.run(lie_and_recover(Device(folder, honest()), lie))


@BRIEFLY
@given(lie=lies(), is_paged=st.booleans())
def test_a_later_answer_that_lies(folder: str, lie: Lie, is_paged: bool) -> None:
    async def play() -> None:
        device = Device(folder, honest())
        await device.puller.sync()
        device.server.put(payment(1, SOUTH), payment(4, NORTH))
        device.server.delete(3)
        device.server.page = 1 if is_paged else 1000
        await lie_and_recover(device, lie)

    asyncio.run(play())


def answer(**more: Any) -> dict[str, Any]:
    """A first answer about two owners."""
    asked: dict[str, Any] = {"owners": {}, "timeline": None, "limit": 1000}
    return honest().answer(PAYMENTS, asked) | more


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("timeline",), None),
        (("timeline",), "\ud800"),
        (("more",), 1),
        (("table", "name"), "public.other"),
        (("table", "owner"), "everybody"),
        (("table", "owner_column"), 7),
        (("table", "key"), []),
        (("table", "key"), ["id"] * 33),
        (("table", "key"), "id"),
        (("table", "columns"), {"id": 7}),
        (("dropped",), ["x"]),
        (("owners",), {}),
        (("owners", 0), None),
        (("owners", 0, "owner_id"), NORTH.upper()),
        (("owners", 0, "owner_id"), SOUTH),
        (("owners", 0, "reset"), None),
        (("owners", 0, "more"), "no"),
        (("owners", 0, "gone"), [7]),
        (("owners", 0, "gone"), None),
        (("owners", 0, "cursor"), None),
        (("owners", 0, "cursor"), "state"),
        (("owners", 0, "cursor"), {"deep": nested(400)}),
        (("owners", 0, "rows"), [{"tag": "t"}]),
        (("owners", 0, "rows"), [{"tag": "", "row": {}}]),
        (("owners", 0, "rows"), [{"tag": "\ud800", "row": {}}]),
        (("owners", 0, "rows"), [{"tag": "t", "row": []}]),
        (("owners", 0, "rows"), [{"tag": "t", "row": {}}, {"tag": "t", "row": {}}]),
        (("owners", 0, "rows", 0, "row", "tenant_id"), SOUTH),
        (("owners", 0, "rows", 0, "row", "tenant_id"), None),
        (("owners", 0, "fetched"), -1),
        (("owners", 0, "about"), 1.5),
    ],
)
def test_an_envelope_that_makes_no_sense_refuses_the_answer(
    place: tuple[Any, ...], value: Any
) -> None:
    whole = answer()
    read_answer(whole)
    holder: Any = whole
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    with pytest.raises(AnswerRefused):
        read_answer(whole)


def read_answer(value: Any) -> TableAnswer:
    """What a client reads when a server answers this."""
    content = json.dumps(value).encode()
    return TableAnswer.read(read(httpx.Response(200, content=content), ANY), PAYMENTS)


@pytest.mark.parametrize(
    ("owners", "timeline", "changes", "is_right"),
    [
        ({}, None, {}, True),
        ({NORTH: "{}"}, "first", {"dropped": [NORTH]}, True),
        ({NORTH: "{}"}, "first", {"dropped": [SOUTH]}, False),
        ({NORTH: "{}", SOUTH: "{}"}, "first", {"reset": False}, True),
        ({NORTH: "{}"}, "first", {"reset": False}, False),
        ({NORTH: "{}", SOUTH: "{}"}, "before", {"reset": False}, False),
        ({}, None, {"owner": "user"}, False),
    ],
)
def test_what_was_not_asked_for_refuses_the_answer(
    owners: dict[str, str], timeline: str | None, changes: dict[str, Any], is_right: bool
) -> None:
    whole = answer(dropped=changes.get("dropped", []))
    for each in whole["owners"]:
        each["reset"] = changes.get("reset", True)
    whole["table"]["owner"] = changes.get("owner", "tenant")
    asked = TableCursor(PAYMENTS, "{}", timeline, owners)
    if is_right:
        asked.check(read_answer(whole), BOB)
    else:
        with pytest.raises(AnswerRefused):
            asked.check(read_answer(whole), BOB)


@pytest.mark.parametrize("poison", POISON)
async def test_a_row_that_cannot_be_read_costs_that_row(poison: str, tmp_path: Path) -> None:
    device = Device(str(tmp_path), honest())
    whole = answer()
    north = next(each for each in whole["owners"] if each["owner_id"] == NORTH)
    north["rows"][0]["row"]["status"] = "POISON"
    text = json.dumps(whole).replace('"POISON"', POISON[poison])

    async def pull_table(name: str, cursor: Any, *, may_lag: bool) -> TableAnswer:
        value = read(httpx.Response(200, content=text.encode()), ANY)
        return TableAnswer.read(value, name)

    device.server.pull_table = pull_table  # type: ignore[method-assign]
    assert not await device.sync()
    shown = [row["id"] for row in device.table.rows()]
    assert shown in ([2, 3], [1, 2, 3])
    kept = device.store.one("select count(*) from table_rows")
    assert kept[0] == 3
    assert [row["id"] for row in device.table.rows({"status": "paid"})] == [3]
    device.server = honest()
    device.puller._remote = device.server
    device.server.timeline = "second"
    assert not await device.sync()
    assert [row["id"] for row in device.table.rows()] == [1, 2, 3]
    device.store.close()
