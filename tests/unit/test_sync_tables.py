"""Tables of the project's own in the copy: what is pulled, kept, looked up and forgotten."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from parley import Table
from parley.errors import AnswerRefused, InvalidInput, ParleyError, TableNotFound, Unreachable
from parley.sync.change import Change, TableChange
from parley.sync.errors import StoreUnusable
from parley.sync.feed import Feed
from parley.sync.steps import Step
from parley.sync.store import Store
from parley.sync.table import as_tables
from parley.sync.table_puller import TablePuller
from parley.sync.table_reads import TableCopy, lookup, reader
from parley.sync.table_store import ALL_TENANTS, TableStore
from parley.wire import Row
from tests.unit.sync_fakes import ME
from tests.unit.table_fakes import NORTH, PAYMENTS, SOUTH, FakeTable, payment
from tests.until import until

DAY_US = 86_400_000_000
NOW = datetime(2026, 11, 30, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000


class Payment(Row):
    """A row of ``payments`` as ``parley types`` writes it."""

    id: int
    tenant_id: UUID
    status: str
    amount: Decimal | None = None


class Device:
    """A copy with one table, its puller, and what it showed."""

    def __init__(self, path: Path, server: FakeTable, *tables: Table) -> None:
        self.server = server
        self.store = Store(path)
        self.store.bind("http://here", ME)
        self.feed = Feed(lambda: None)
        self.changes: list[Change] = []
        self.owners_changed = 0
        self.tables = as_tables(tables or (Table(PAYMENTS, indexes=["status"]),))
        self.table_store = TableStore(self.store, self.tables)
        self.puller = TablePuller(
            self.table_store,
            server,
            lambda: self.store.me,
            emit=self.emit,
            on_owners=self.note_owners,
            rng=random.Random(1),
        )

    def emit(self, changes: list[Change]) -> None:
        self.changes += changes
        self.feed.emit(changes)

    def note_owners(self) -> None:
        self.owners_changed += 1

    def table(self, model: type[Row] | None = None) -> TableCopy[Any]:
        """The table as an app reads it."""
        return TableCopy(
            self.store,
            self.feed,
            next(iter(self.tables.values())),
            read=reader(model),
            require_open=lambda: None,
        )

    @property
    def ids(self) -> list[int]:
        """The keys of the rows that are shown."""
        return [row["id"] for row in self.table().rows()]

    @property
    def told(self) -> list[TableChange]:
        """What was told of the table since this was looked at last."""
        told = [each.table for each in self.changes if each.table is not None]
        self.changes.clear()
        return told


Make = Callable[..., Device]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes devices whose files are closed at the end; they have one path."""
    devices: list[Device] = []

    def make(server: FakeTable, *tables: Table) -> Device:
        devices.append(Device(tmp_path / "copy.db", server, *tables))
        return devices[-1]

    yield make
    for device in devices:
        device.store.close()


class TestPulling:
    """What a pull brings is what the copy shows."""

    async def test_a_first_sync_fetches_all_rows_in_pages_by_key(self, make: Make) -> None:
        server = FakeTable(*(payment(number) for number in (10, 9, 30, 2, 1)))
        server.page = 2
        device = make(server)
        await device.puller.sync()
        assert device.ids == [1, 2, 9, 10, 30]
        assert [len(each["owners"]) for each in server.cursors] == [0, 1, 1, 1]

    async def test_a_change_and_a_deletion_arrive_with_the_next_pull(self, make: Make) -> None:
        server = FakeTable(payment(1), payment(2))
        device = make(server)
        await device.puller.sync()
        server.put(payment(1, status="paid"), payment(3))
        server.delete(2)
        assert device.told == [TableChange(PAYMENTS, (1, 2), is_fresh=True)]
        await device.puller.sync()
        assert device.table().rows() == [payment(1, status="paid"), payment(3)]
        assert device.told == [TableChange(PAYMENTS, (1, 3), (2,))]
        await device.puller.sync()
        assert device.told == []

    @pytest.mark.parametrize("page", [1, 2, 1000])
    async def test_a_row_that_moves_between_two_owners_of_mine_stays(
        self, make: Make, page: int
    ) -> None:
        server = FakeTable(payment(1, NORTH), payment(2, SOUTH))
        server.owners = {NORTH, SOUTH}
        device = make(server)
        await device.puller.sync()
        server.page = page
        server.put(payment(1, SOUTH), payment(2, NORTH), payment(1, NORTH), payment(1, SOUTH))
        await device.puller.sync()
        assert device.table().rows() == [payment(1, SOUTH), payment(2, NORTH)]
        server.owners = {NORTH}
        await device.puller.sync()
        assert device.ids == [2]

    async def test_an_owner_that_is_new_comes_and_one_that_is_dropped_goes(
        self, make: Make
    ) -> None:
        server = FakeTable(payment(1, NORTH), payment(2, SOUTH))
        device = make(server)
        await device.puller.sync()
        assert device.ids == [1]
        assert device.puller.dashboards == (NORTH, ALL_TENANTS)
        server.owners = {SOUTH}
        await device.puller.sync()
        assert device.ids == [2]
        assert device.puller.dashboards == (SOUTH, ALL_TENANTS)
        assert device.owners_changed == 2

    async def test_a_table_of_people_listens_to_no_dashboard(self, make: Make) -> None:
        server = FakeTable(payment(1, ME), owner="user")
        server.owners = {ME}
        device = make(server)
        await device.puller.sync()
        assert device.ids == [1]
        assert device.puller.dashboards == ()

    async def test_another_shape_of_the_table_fetches_it_anew(self, make: Make) -> None:
        server = FakeTable(payment(1), payment(2))
        device = make(server)
        await device.puller.sync()
        del server.rows[2]
        server.rows[1] = payment(1, note="new")
        server.shape = 2
        await device.puller.sync()
        assert device.table().rows() == [payment(1, note="new")]

    async def test_another_timeline_fetches_everything_anew(self, make: Make) -> None:
        server = FakeTable(payment(1, NORTH), payment(2, SOUTH))
        server.owners = {NORTH, SOUTH}
        device = make(server)
        await device.puller.sync()
        restored = FakeTable(payment(3, NORTH))
        restored.timeline = "second"
        device.puller._remote = restored
        await device.puller.sync()
        assert device.ids == [3]

    async def test_rows_of_a_tenant_go_in_the_transaction_that_tells_it(self, make: Make) -> None:
        server = FakeTable(payment(1, NORTH), payment(2, SOUTH))
        server.owners = {NORTH, SOUTH}
        device = make(server)
        await device.puller.sync()
        device.store.execute("update account set rev = 1")
        left = {"user_id": ME, "from": 1, "to": 2, "rows": {}, "dropped_tenants": [NORTH]}
        step = Step.read(left)
        assert step is not None
        changes = device.store.apply_step(step)
        assert device.ids == [2]
        assert changes is not None and changes[0].table == TableChange(PAYMENTS, is_fresh=True)
        server.owners = {SOUTH}
        await device.puller.sync()
        assert list(server.cursors[-1]["owners"]) == [SOUTH]

    async def test_what_arrives_while_the_copy_moves_is_asked_for_again(self, make: Make) -> None:
        server = FakeTable(payment(1, NORTH))
        device = make(server)
        await device.puller.sync()
        asked = device.table_store.cursor(PAYMENTS)
        server.put(payment(1, NORTH, "stale"))
        answer = await server.pull_table(PAYMENTS, asked.asking(10), may_lag=False)
        server.put(payment(1, NORTH, "newer"))
        await device.puller.sync()
        assert device.table_store.apply(asked, answer, ME) is None
        assert device.table().rows() == [payment(1, NORTH, "newer")]

    @pytest.mark.parametrize("error", [TableNotFound("no", ""), InvalidInput("no", "")])
    async def test_a_table_that_is_not_to_see_any_more_is_emptied(
        self, make: Make, error: ParleyError
    ) -> None:
        server = FakeTable(payment(1))
        device = make(server)
        await device.puller.sync()
        server.error = error
        with pytest.raises(type(error)):
            await device.puller.sync()
        assert device.ids == []
        assert not device.table().progress.is_done
        server.error = None
        await device.puller.sync()
        assert device.ids == [1]

    async def test_a_failed_pull_keeps_the_rows_and_asks_for_less(self, make: Make) -> None:
        server = FakeTable(payment(1))
        device = make(server)
        await device.puller.sync()
        server.error = Unreachable("no", "")
        with pytest.raises(Unreachable):
            await device.puller.sync()
        assert device.ids == [1]
        server.error = None
        await device.puller.sync()
        assert [each["limit"] for each in server.cursors] == [1000, 1000, 500]

    async def test_more_that_never_comes_is_refused(self, make: Make) -> None:
        server = FakeTable(payment(1))
        device = make(server)
        await device.puller.sync()
        server.lie = lambda answer: answer | {"more": True}
        with pytest.raises(AnswerRefused):
            await device.puller.sync()
        assert len(server.cursors) == 2


class TestHearing:
    """Announcements, and what is done when they come too early."""

    async def test_an_announcement_pulls_its_table_alone(self, make: Make) -> None:
        server = FakeTable(payment(1))
        device = make(server, Table(PAYMENTS), Table("public.other"))
        await device.puller.sync()
        server.cursors.clear()
        names = []
        pull = server.pull_table

        async def pull_table(name: str, cursor: Any, *, may_lag: bool) -> Any:
            names.append(name)
            return await pull(name, cursor, may_lag=may_lag)

        server.pull_table = pull_table  # type: ignore[method-assign]
        running = asyncio.create_task(device.puller.run())
        server.put(payment(2))
        device.puller.hear({"tenant_id": NORTH, "tables": [PAYMENTS, "public.unknown", 7]})
        await until(lambda: device.ids == [1, 2])
        assert names == [PAYMENTS]
        running.cancel()

    async def test_one_that_overtakes_its_snapshot_is_asked_for_once_more(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("parley.sync.table_puller.AGAIN_S", 0.01)
        server = FakeTable(payment(1))
        device = make(server)
        await device.puller.sync()
        running = asyncio.create_task(device.puller.run())
        server.put(payment(2))
        server.hidden = 1
        device.puller.hear({"tables": [PAYMENTS]})
        await until(lambda: len(server.cursors) == 2)
        server.hidden = 0
        await until(lambda: device.ids == [1, 2])
        assert len(server.cursors) == 3
        running.cancel()

    @pytest.mark.parametrize("payload", [None, 7, [], {}, {"tables": 7}, {"tables": [None, {}]}])
    async def test_one_that_makes_no_sense_is_passed_over(self, make: Make, payload: Any) -> None:
        device = make(FakeTable(payment(1)))
        await device.puller.sync()
        device.puller.hear(payload)
        assert not any(each.was_heard for each in device.puller._asking.values())

    async def test_one_table_that_fails_holds_up_no_other(self, make: Make) -> None:
        server = FakeTable(payment(1))
        device = make(server, Table(PAYMENTS), Table("public.lost"))
        pull = server.pull_table

        async def pull_table(name: str, cursor: Any, *, may_lag: bool) -> Any:
            if name == "public.lost":
                raise TableNotFound("no", "")
            return await pull(name, cursor, may_lag=may_lag)

        server.pull_table = pull_table  # type: ignore[method-assign]
        running = asyncio.create_task(device.puller.run())
        await until(lambda: device.ids == [1])
        server.put(payment(2))
        device.puller.hear({"tables": [PAYMENTS]})
        await until(lambda: device.ids == [1, 2])
        running.cancel()

    async def test_a_full_disk_is_waited_for(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("parley.sync.table_puller.LOCAL_RETRY_S", 0.01)
        server = FakeTable(payment(1), *(payment(n, note="x" * 3000) for n in range(2, 200)))
        device = make(server)
        server.put(payment(1, status="paid"))
        (pages,) = device.store.one("pragma page_count")
        device.store.execute(f"pragma max_page_count = {pages}")
        running = asyncio.create_task(device.puller.run())
        await until(lambda: device.store.fault is not None)
        assert device.ids == []
        with pytest.raises(StoreUnusable):
            await device.puller.sync()
        device.store.execute("pragma max_page_count = 100000")
        await until(lambda: len(device.ids) == 199)
        running.cancel()


class TestLateAnswers:
    """Which pulls a read replica may answer."""

    @pytest_asyncio.fixture
    async def device(self, make: Make) -> AsyncIterator[Device]:
        """A device that keeps a table of four rows in step, and has all of them."""
        device = make(FakeTable(*(payment(number) for number in (1, 2, 3, 4))))
        running = asyncio.create_task(device.puller.run())
        await until(lambda: device.ids == [1, 2, 3, 4])
        device.server.late.clear()
        yield device
        running.cancel()

    async def test_a_first_fetch_begins_and_ends_at_the_primary(self, make: Make) -> None:
        server = FakeTable(*(payment(number) for number in range(6)))
        server.page = 2
        device = make(server)
        await device.puller.sync()
        assert device.ids == list(range(6))
        assert server.late == [False, True, True, False]

    async def test_an_owner_that_begins_where_another_ends_is_gone_on_with_later(
        self, make: Make
    ) -> None:
        server = FakeTable(*(payment(n, NORTH if n < 3 else SOUTH) for n in range(9)))
        server.owners = {NORTH, SOUTH}
        server.page = 2
        device = make(server)
        await device.puller.sync()
        assert device.ids == list(range(9))
        # The second page has the end of the first owner, and the beginning of the second.
        assert server.late == [False, True, False, True, True, False]

    async def test_what_is_asked_because_of_the_time_may_be_late(self, device: Device) -> None:
        device.server.put(payment(5))
        device.puller.want(may_lag=True)
        await until(lambda: device.ids == [1, 2, 3, 4, 5])
        assert device.server.late == [True]

    async def test_changes_in_several_pages_end_at_the_primary(self, device: Device) -> None:
        device.server.page = 2
        device.server.put(*(payment(number, status="paid") for number in (1, 2, 3)))
        device.puller.want(may_lag=True)
        await until(lambda: len(device.table().rows({"status": "paid"})) == 3)
        assert device.server.late == [True, False]

    async def test_what_was_announced_before_or_after_is_not_late(self, device: Device) -> None:
        device.server.put(payment(5))
        device.puller.want(may_lag=True)
        device.puller.hear({"tables": [PAYMENTS]})
        device.puller.want(may_lag=True)
        await until(lambda: device.ids == [1, 2, 3, 4, 5])
        assert device.server.late == [False]

    async def test_what_is_announced_while_a_late_answer_is_on_its_way_is_asked_for(
        self, device: Device
    ) -> None:
        def hear() -> None:
            device.server.meanwhile = lambda: None
            device.server.put(payment(5))
            device.puller.hear({"tables": [PAYMENTS]})

        device.server.meanwhile = hear
        device.puller.want(may_lag=True)
        await until(lambda: device.ids == [1, 2, 3, 4, 5])
        assert device.server.late == [True, False]

    async def test_a_look_at_the_time_while_a_fetch_goes_on_lets_it_end_at_the_primary(
        self, make: Make
    ) -> None:
        server = FakeTable(*(payment(number) for number in range(4)))
        server.page = 2
        device = make(server)
        server.meanwhile = lambda: device.puller.want(may_lag=True)
        await device.puller.sync()
        assert server.late == [False, True, False]

    async def test_a_sync_is_not_late(self, device: Device) -> None:
        device.puller.want(may_lag=True)
        await device.puller.sync()
        assert device.server.late == [False]

    async def test_a_pull_that_failed_is_repeated_at_the_primary(self, device: Device) -> None:
        device.server.error = Unreachable("no", "")
        device.puller._asking[PAYMENTS].wait.least_s = 0.01
        device.puller.want(may_lag=True)
        await until(lambda: len(device.server.late) >= 2)
        assert device.server.late[:2] == [True, False]


class TestNewest:
    """The part of a table that is younger than some days."""

    async def test_what_becomes_too_old_by_the_clock_of_the_server_goes(self, make: Make) -> None:
        paid = {"young": NOW_US, "old": NOW_US - 89 * DAY_US}
        server = FakeTable(
            *(
                payment(number, paid_at=datetime.fromtimestamp(at / 1e6, UTC).isoformat())
                for number, at in enumerate(paid.values(), start=1)
            ),
            payment(3, paid_at="infinity"),
        )
        device = make(server, Table(PAYMENTS, newest=("paid_at", 90)))
        await device.puller.sync()
        assert server.cursors[0]["newest"] == {"column": "paid_at", "days": 90}
        # The time is not known: nothing is forgotten by a clock that may be wrong.
        assert device.ids == [1, 2, 3]
        server.now_us = NOW_US
        await device.puller.sync()
        assert device.ids == [1, 2, 3]
        device.changes.clear()
        server.now_us = NOW_US + DAY_US
        await device.puller.sync()
        assert device.ids == [1, 3]
        assert device.told == [TableChange(PAYMENTS, gone=(2,))]

    @pytest.mark.parametrize(
        "text", ["2026-08-01", "2026-08-01T10:00:00", "2026-08-01T10:00:00+02:00"]
    )
    async def test_every_type_of_time_ages(self, make: Make, text: str) -> None:
        server = FakeTable(payment(1, day=text))
        device = make(server, Table(PAYMENTS, newest=("day", 90)))
        server.now_us = NOW_US
        await device.puller.sync()
        assert device.ids == []


class TestDefinition:
    """What the app names is what the copy holds."""

    async def test_a_subset_is_asked_for_in_every_pull(self, make: Make) -> None:
        server = FakeTable(payment(1), payment(2, status="paid"))
        server.where = lambda row: row["status"] == "open"
        device = make(server, Table(PAYMENTS, where={"status": ["open", None], "id": UUID(NORTH)}))
        await device.puller.sync()
        server.put(payment(1, status="paid"))
        await device.puller.sync()
        assert device.ids == []
        assert {str(each["where"]) for each in server.cursors} == {
            str({"id": NORTH, "status": ["open", None]})
        }

    @pytest.mark.parametrize(
        "other",
        [
            Table(PAYMENTS, where={"status": "paid"}),
            Table(PAYMENTS, newest=("paid_at", 7)),
            Table("public.other"),
        ],
    )
    async def test_what_was_fetched_for_another_definition_leaves_the_copy(
        self, make: Make, other: Table
    ) -> None:
        server = FakeTable(payment(1))
        before = make(server)
        await before.puller.sync()
        before.store.close()
        device = make(server, other)
        assert device.ids == []
        assert device.store.all("select 1 from table_rows") == []
        assert device.store.all("select 1 from table_owners") == []
        await device.puller.sync()
        assert server.cursors[-1]["owners"] == {}
        assert device.ids == [1]

    async def test_the_same_definition_keeps_its_rows_without_a_server(self, make: Make) -> None:
        server = FakeTable(payment(1))
        before = make(server)
        await before.puller.sync()
        before.store.close()
        device = make(server, Table(PAYMENTS, indexes=["status", "id"]))
        assert device.ids == [1]
        assert device.table().progress.is_done

    async def test_a_process_with_other_tables_finds_none_and_breaks_nothing(
        self, make: Make
    ) -> None:
        server = FakeTable(payment(1))
        device = make(server)
        await device.puller.sync()
        make(server, Table(PAYMENTS, where={"status": "paid"}))
        assert device.ids == []
        assert device.table().get(1) is None
        await device.puller.sync()
        assert device.ids == []

    @pytest.mark.parametrize(
        "options",
        [
            {"name": "payments"},
            {"name": ".b"},
            {"name": 7},
            {"name": "public.x\ud800"},
            {"where": []},
            {"where": {1: 1}},
            {"where": {"a": {}}},
            {"where": {"a": float("nan")}},
            {"where": {"a": [["x"]]}},
            {"where": {"a": 2**70}},
            {"newest": ("a", 0)},
            {"newest": ("a", True)},
            {"newest": "a"},
            {"indexes": "status"},
            {"indexes": ['a"b']},
            {"indexes": [7]},
        ],
    )
    def test_a_definition_that_makes_no_sense_is_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput):
            Table(**({"name": PAYMENTS} | options))

    def test_the_control_is_a_definition_with_everything(self) -> None:
        Table('public."My table"', where={"a": [1, None]}, newest=("a", 90), indexes=["ä b's"])

    @pytest.mark.parametrize("tables", [7, [7], [Table(PAYMENTS), Table(PAYMENTS)]])
    def test_tables_that_make_no_sense_are_refused(self, tables: Any) -> None:
        with pytest.raises(InvalidInput):
            as_tables(tables)


class TestReading:
    """Rows by their columns, and one by its key."""

    async def test_rows_equal_what_they_are_looked_for_by(self, make: Make) -> None:
        rows = [
            payment(1, amount=None, ok=True, n=1),
            payment(2, amount=Decimal("1.10"), ok=False, n=0),
            payment(3, amount=Decimal("12345678901234567890.10"), ok=None, n=2**60),
            payment(4, status="it's \u00e9", amount=5, ok=True, n=1),
        ]
        device = make(FakeTable(*rows), Table(PAYMENTS, indexes=["status", "amount", "ok", "n"]))
        await device.puller.sync()

        def found(**where: Any) -> list[int]:
            return [row["id"] for row in device.table().rows(where)]

        assert device.table().get(2) == rows[1]
        assert str(device.table().rows({"id": 2})[0]["amount"]) == "1.10"
        assert str(device.table().rows({"id": 3})[0]["amount"]) == "12345678901234567890.10"
        assert found(amount=None) == [1]
        assert found(amount=Decimal("1.1")) == found(amount=1.1) == [2]
        assert found(amount=Decimal("12345678901234567890.1")) == [3]
        assert found(amount=Decimal("12345678901234567890.2")) == []
        assert found(amount=[5, None]) == [1, 4]
        assert found(amount=[]) == []
        assert found(ok=True) == [1, 4] and found(ok=1) == [] and found(ok=None) == [3]
        assert found(n=1) == [1, 4] and found(n=True) == [] and found(n=2**60) == [3]
        assert found(n=2**60 + 1) == []
        assert found(status="it's \u00e9", ok=True) == [4]
        assert found(status=["open", "x"], n=1) == [1]
        assert found(tenant_id=UUID(NORTH)) == [1, 2, 3, 4]
        assert found(nothing="x") == [] and found(nothing=None) == [1, 2, 3, 4]
        assert found(status=["open"] * 5000) == [1, 2, 3]

    @pytest.mark.parametrize(
        ("where", "index"),
        [({"status": "open"}, 0), ({"status": ["open", "paid"], "x": 1}, 0), ({"id": 7}, 1)],
    )
    async def test_rows_are_looked_for_in_the_index_that_was_named(
        self, make: Make, where: dict[str, Any], index: int
    ) -> None:
        device = make(FakeTable(payment(1)))
        await device.puller.sync()
        statement, values = lookup(1, ["id"], where)
        plan = " ".join(
            row["detail"] for row in device.store.all(f"explain query plan {statement}", values)
        )
        names = [
            row["name"]
            for row in device.store.all(
                "select name from sqlite_schema where name glob 'table_1_*'"
                " order by sql not like '%status%'"
            )
        ]
        assert f"SEARCH table_rows USING INDEX {names[index]} (<expr>=?)" in plan

    async def test_all_rows_come_in_the_order_of_the_index_of_the_key(self, make: Make) -> None:
        device = make(FakeTable(payment(1)))
        await device.puller.sync()
        statement, values = lookup(1, ["id"], {})
        plan = [
            row["detail"] for row in device.store.all(f"explain query plan {statement}", values)
        ]
        assert len(plan) == 1 and "USING INDEX table_1_" in plan[0]

    async def test_indexes_follow_what_the_app_names(self, make: Make) -> None:
        server = FakeTable(payment(1))
        named = "select count(*) from sqlite_schema where name glob 'table_1_*'"
        for tables, count in (
            (Table(PAYMENTS, indexes=["status", "tenant_id"]), 3),
            (Table(PAYMENTS, indexes=["status"]), 2),
            (Table(PAYMENTS), 1),
            (Table("public.other"), 0),
        ):
            device = make(server, tables)
            if tables.name == PAYMENTS:
                await device.puller.sync()
            assert device.store.one(named)[0] == count

    async def test_a_key_of_several_columns_is_a_tuple_or_a_mapping(self, make: Make) -> None:
        server = FakeTable(payment(1), payment(2, status="paid"))
        answer = server.answer
        server.answer = lambda name, asked: (  # type: ignore[method-assign]
            (value := answer(name, asked)) | {"table": value["table"] | {"key": ["status", "id"]}}
        )
        device = make(server)
        await device.puller.sync()
        table = device.table()
        assert table.get(("paid", 2)) == table.get({"id": 2, "status": "paid"}) == table.rows()[1]
        assert table.get(("open", 2)) is None
        assert device.told == [TableChange(PAYMENTS, (("open", 1), ("paid", 2)), is_fresh=True)]
        for wrong in (2, ("paid",), {"id": 2}, (["paid"], 2), {}, None):
            with pytest.raises(InvalidInput):
                table.get(wrong)

    async def test_nothing_is_there_before_the_first_pull(self, make: Make) -> None:
        device = make(FakeTable(payment(1)))
        assert device.table().rows({"id": 1}) == [] and device.table().get(1) is None
        with pytest.raises(InvalidInput):
            device.table().rows({"id": object()})  # type: ignore[dict-item]

    async def test_rows_are_of_the_model_that_they_are_asked_for_with(self, make: Make) -> None:
        server = FakeTable(payment(1, amount=2.5, newer="?"), payment(2) | {"status": None})
        device = make(server)
        await device.puller.sync()
        # A row that is none of this model is left out; as JSON it is there.
        (row,) = device.table(Payment).rows()
        assert row == Payment(id=1, tenant_id=UUID(NORTH), status="open", amount=Decimal("2.5"))
        assert device.table(Payment).get(2) is None and device.table().get(2) is not None
        assert device.ids == [1, 2]

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (datetime(2026, 11, 30, 1, 2, 3, 450_000, UTC), "2026-11-30T01:02:03.45+00:00"),
            (datetime(2026, 11, 30, 1, 2, 3), "2026-11-30T01:02:03"),
            (date(2026, 11, 30), "2026-11-30"),
        ],
    )
    async def test_times_are_compared_as_postgres_prints_them(
        self, make: Make, value: Any, text: str
    ) -> None:
        device = make(FakeTable(payment(1, at=text)))
        await device.puller.sync()
        assert len(device.table().rows({"at": value})) == 1


class TestFollowing:
    """Progress, and what an app is told."""

    async def test_progress_counts_until_the_first_fetch_is_done(self, make: Make) -> None:
        server = FakeTable(*(payment(number) for number in range(10)))
        server.page = 4
        device = make(server)
        table = device.table()
        seen = []
        emit = device.emit

        def note(changes: list[Change]) -> None:
            emit(changes)
            progress = table.progress
            seen.append((progress.fetched, progress.about, progress.is_done))

        device.puller._emit = note
        assert not table.progress.is_done
        await device.puller.sync()
        assert seen == [(4, 10, False), (8, 10, False), (10, 10, False), (10, 10, True)]
        server.put(*(payment(number, status="paid") for number in range(10)))
        await device.puller.sync()
        assert all(is_done for *_, is_done in seen[4:]) and len(seen) == 7

    async def test_how_many_there_are_of_very_many_is_not_known(self, make: Make) -> None:
        server = FakeTable(*(payment(number) for number in range(10)))
        server.page = 4
        server.lie = lambda answer: (
            answer | {"owners": [each | {"about": None} for each in answer["owners"]]}
        )
        device = make(server)
        seen = []
        device.puller._emit = lambda changes: seen.append(device.table().progress.about)
        await device.puller.sync()
        assert seen == [None, None, 10, 10]

    async def test_an_empty_table_is_done_after_its_first_pull(self, make: Make) -> None:
        device = make(FakeTable())
        await device.puller.sync()
        assert device.table().progress.is_done and device.ids == []
        assert device.told == [TableChange(PAYMENTS, is_fresh=True)]

    async def test_changes_are_of_this_table_alone(self, make: Make) -> None:
        server = FakeTable(payment(1))
        device = make(server)
        changes = device.table().changes()
        device.feed.emit([Change(None), Change(None, table=TableChange("public.other"))])
        await device.puller.sync()
        assert await anext(changes) == TableChange(PAYMENTS, (1,), is_fresh=True)

    async def test_too_many_changes_become_one_that_says_to_read_again(self, make: Make) -> None:
        device = make(FakeTable())
        changes = device.table().changes()
        for number in range(3):
            keys = tuple(range(number * 4000, number * 4000 + 4000))
            device.feed.emit([Change(None, table=TableChange(PAYMENTS, keys))])
        assert await anext(changes) == TableChange(PAYMENTS, is_fresh=True)


async def test_a_process_that_names_no_tables_leaves_those_of_the_file_alone(make: Make) -> None:
    device = make(FakeTable(payment(1)))
    await device.puller.sync()
    other = TableStore(device.store, None)
    assert list(other.names) == [] and other.dashboards == ()
    assert device.ids == [1]
    # The control: who names an empty list wants none.
    TableStore(device.store, {})
    assert device.ids == []


async def test_a_puller_without_tables_asks_for_nothing(make: Make, tmp_path: Path) -> None:
    store = Store(tmp_path / "other.db")
    server = FakeTable(payment(1))
    tables = TableStore(store, {})
    puller = TablePuller(
        tables, server, lambda: ME, emit=print, on_owners=lambda: None, rng=random.Random(1)
    )
    running = asyncio.create_task(puller.run())
    await puller.sync()
    puller.want()
    puller.hear({"tables": [PAYMENTS]})
    await asyncio.sleep(0)
    assert server.cursors == [] and not running.done()
    running.cancel()
    store.close()


async def test_an_error_of_the_caller_is_a_parley_error(make: Make) -> None:
    device = make(FakeTable(payment(1)))
    await device.puller.sync()
    wrong: list[Any] = [{"id": {}}, 7, {"\ud800": 1}, {"id": [[1]]}]
    for where in wrong:
        with pytest.raises(ParleyError):
            device.table().rows(where)
