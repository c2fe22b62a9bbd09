"""Tables of the project's own arrive in the copies of those who may read them, and leave them."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from parley.cli.types import generate
from parley.client import Chat
from parley.errors import InvalidInput, TableNotFound
from parley.stack import Status
from parley.sync.table import Table
from tests.chaos.fault_proxy import FaultProxy
from tests.e2e.shop import GONE, NOTES, PAYMENTS, SCHEMA, TABLES, Shop, copied, ids
from tests.e2e.sync_people import Account, chatting, sign_up
from tests.until import until

BULK = 10_000
Open = Callable[..., Awaitable[Chat]]


@pytest.fixture(scope="module")
def made(stack: Status) -> Iterator[Shop]:
    """The tables, until the end of this file."""
    with psycopg.connect(stack.db_url) as connection:
        connection.execute(SCHEMA)
    yield Shop(stack.db_url)
    with psycopg.connect(stack.db_url) as connection:
        connection.execute(GONE)


@pytest.fixture
def shop(made: Shop) -> Shop:
    """The tables, empty."""
    made.run("delete from shop.payments")
    made.run("delete from shop.notes")
    return made


@pytest_asyncio.fixture
async def people(stack: Status) -> list[Account]:
    """Ann and Bob."""
    return list(await asyncio.gather(sign_up(stack, "Ann"), sign_up(stack, "Bob")))


@pytest_asyncio.fixture
async def open_chat(stack: Status, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens devices that listen, and closes them at the end."""
    async with AsyncExitStack() as exits:

        async def open_chat(account: Account, **options: Any) -> Chat:
            options = {"tables": TABLES} | options
            store = tmp_path / f"{account.name}.db"
            chat = await exits.enter_async_context(chatting(stack, account, store, **options))
            if options.get("live", True):
                await until(lambda: chat.is_live)
                await until(lambda: dashboards(chat) if options["tables"] else True)
            return chat

        yield open_chat


def dashboards(chat: Chat) -> set[str]:
    """The tenants to whose topics a device listens."""
    topics = (each.split(":") for each in chat.topics)
    return {owner for kind, owner, *_ in topics if kind == "tenant"}


async def test_rows_arrive_by_themselves_change_and_go(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, _ = people
    tenant = shop.tenant(ann.user_id)
    first, second = shop.pay(tenant, 2, amount=Decimal("1.25"))
    chat = await open_chat(ann)
    assert ids(chat) == [first, second]
    row = chat.table(PAYMENTS).get(first)
    assert row is not None and row["amount"] == Decimal("1.25") and "cost" not in row
    await until(lambda: tenant in dashboards(chat))

    changes = chat.table(PAYMENTS).changes()
    (third,) = shop.pay(tenant)
    await until(lambda: ids(chat) == [first, second, third])
    assert (await anext(changes)).changed == (third,)
    shop.run("update shop.payments set status = 'paid' where id = %s", first)
    await until(lambda: chat.table(PAYMENTS).rows({"status": "paid"}))
    shop.run("delete from shop.payments where id = %s", second)
    await until(lambda: ids(chat) == [first, third])
    shop.run("update shop.payments set id = -1 where id = %s", third)
    await until(lambda: ids(chat) == [-1, first])
    assert copied(chat.table(PAYMENTS)) == shop.view(ann.user_id, PAYMENTS)


async def test_rows_of_people_arrive_on_their_own_topic_and_with_nobody_else(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, bob = people
    anns, bobs = await open_chat(ann), await open_chat(bob)
    for user in people:
        shop.run(
            "insert into shop.notes values (%s, 1, 'mine'), (%s, 2, 'too')", *[user.user_id] * 2
        )
    await until(lambda: len(anns.table(NOTES).rows()) == len(bobs.table(NOTES).rows()) == 2)
    assert copied(anns.table(NOTES)) == shop.view(ann.user_id, NOTES)
    assert anns.table(NOTES).get((ann.user_id, 2)) == {
        "user_id": ann.user_id,
        "place": 2,
        "body": "too",
    }
    # A note that is given to somebody else leaves one copy and comes into the other.
    shop.run(
        "update shop.notes set user_id = %s, place = 3 where user_id = %s and place = 2",
        *(bob.user_id, ann.user_id),
    )
    await until(lambda: len(anns.table(NOTES).rows()) == 1)
    await until(lambda: len(bobs.table(NOTES).rows()) == 3)


async def test_rows_move_between_tenants_with_all_of_their_readers(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, bob = people
    both, anns_own = shop.tenant(ann.user_id, bob.user_id), shop.tenant(ann.user_id)
    payment, other = shop.pay(both, 2)
    anns, bobs = await open_chat(ann), await open_chat(bob)
    assert ids(anns) == ids(bobs) == [payment, other]
    shop.run("update shop.payments set tenant_id = %s where id = %s", anns_own, payment)
    await until(lambda: ids(bobs) == [other])
    await until(lambda: copied(anns.table(PAYMENTS)) == shop.view(ann.user_id, PAYMENTS))
    assert ids(anns) == [payment, other]


async def test_a_row_that_is_hidden_leaves_the_copy_and_comes_back(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, bob = people
    tenant = shop.tenant(ann.user_id, bob.user_id)
    (payment,) = shop.pay(tenant)
    anns, bobs = await open_chat(ann), await open_chat(bob)
    await until(lambda: tenant in dashboards(anns) & dashboards(bobs))
    shop.run("update shop.payments set hidden_from = %s where id = %s", ann.user_id, payment)
    await until(lambda: ids(anns) == [])
    await until(lambda: (bobs.table(PAYMENTS).get(payment) or {}).get("hidden_from") is not None)
    shop.run("update shop.payments set hidden_from = null where id = %s", payment)
    await until(lambda: ids(anns) == [payment])


async def test_a_statement_that_changes_ten_thousand_rows_arrives_in_pages(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, _ = people
    tenant = shop.tenant(ann.user_id)
    shop.pay(tenant, BULK)
    chat = Chat(*(await connection_of(open_chat, ann)), tables=TABLES, live=False)
    table = chat.table(PAYMENTS)
    seen = set()
    async with chat:
        assert not table.progress.is_done
        fetching = asyncio.create_task(chat.sync())
        while not fetching.done():
            progress = table.progress
            if progress.about is not None:
                seen.add(progress)
            await asyncio.sleep(0.005)
        await fetching
        assert {each.about for each in seen} >= {BULK}
        assert any(not each.is_done and 0 < each.fetched < BULK for each in seen)
        assert table.progress.is_done and table.progress.fetched == BULK

        shop.run("update shop.payments set status = 'paid', amount = id")
        await chat.sync()
        assert len(table.rows({"status": "paid"})) == BULK
        assert table.progress.is_done
        shop.run("delete from shop.payments where id %% 2 = 0")
        await chat.sync()
        assert copied(table) == shop.view(ann.user_id, PAYMENTS)


async def connection_of(open_chat: Open, account: Account) -> tuple[str, str, str]:
    """The url, the key and the file of a device that has signed in and fetched nothing."""
    chat = await open_chat(account, tables=[], live=False)
    url, key, store = chat._server.url, chat._server.key, chat._store.path
    await chat.close()
    return url, key, store


async def test_rows_of_a_tenant_that_was_left_go_and_its_topic_too(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, bob = people
    left, kept = shop.tenant(ann.user_id, bob.user_id), shop.tenant(ann.user_id, bob.user_id)
    gone, payment = [*shop.pay(left), *shop.pay(kept)]
    anns, bobs = await open_chat(ann), await open_chat(bob)
    await until(lambda: {left, kept} <= dashboards(anns))
    changes = anns.changes()
    shop.leave(left, ann.user_id)
    await until(lambda: ids(anns) == [payment])
    told = [await anext(changes)]
    while not told[-1].dropped_tenants:
        told.append(await anext(changes))
    # In the transaction that tells it: the change of the table came just before.
    assert told[-2].table is not None and told[-2].table.is_fresh
    await until(lambda: left not in dashboards(anns))
    assert ids(bobs) == [gone, payment] and left in dashboards(bobs)
    shop.let_in(left, ann.user_id)
    await until(lambda: ids(anns) == [gone, payment])


async def test_somebody_who_comes_into_a_tenant_gets_its_rows(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, _ = people
    tenant = shop.tenant()
    (payment,) = shop.pay(tenant)
    chat = await open_chat(ann)
    assert ids(chat) == []
    shop.let_in(tenant, ann.user_id)
    await until(lambda: ids(chat) == [payment])
    await until(lambda: tenant in dashboards(chat))


async def test_a_new_column_fetches_its_table_anew_and_no_other(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, _ = people
    tenant = shop.tenant(ann.user_id)
    shop.pay(tenant)
    shop.run("insert into shop.notes values (%s, 1, 'mine')", ann.user_id)
    chat = await open_chat(ann)
    await chat.sync()
    changes = chat.changes()
    shop.run("alter table shop.notes add column colour text not null default 'red'")
    try:
        await chat.sync()
        assert chat.table(NOTES).rows()[0]["colour"] == "red"
        told = await anext(changes)
        while told.table is None:
            told = await anext(changes)
        assert told.table.name == NOTES and told.table.is_fresh
        shop.pay(tenant)
        await until(lambda: len(ids(chat)) == 2)
        told = await anext(changes)
        while told.table is None or told.table.name != PAYMENTS:
            told = await anext(changes)
        assert not told.table.is_fresh
    finally:
        shop.run("alter table shop.notes drop column colour")


async def test_a_truncate_and_a_refresh_reach_everybody(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, _ = people
    tenant, other = shop.tenant(ann.user_id), shop.tenant(ann.user_id)
    shop.pay(tenant, 3)
    shop.pay(other, 2)
    chat = await open_chat(ann)
    await until(lambda: {tenant, other} <= dashboards(chat))
    assert len(ids(chat)) == 5
    # What no trigger sees, as what another table decides, is told by hand.
    shop.run("alter table shop.payments disable trigger user")
    shop.run("update shop.payments set status = 'lost' where tenant_id = %s", other)
    shop.run("alter table shop.payments enable trigger user")
    await chat.sync()
    assert chat.table(PAYMENTS).rows({"status": "lost"}) == []
    shop.run("select chat_private.refresh_table('shop.payments', %s)", other)
    await until(lambda: len(chat.table(PAYMENTS).rows({"status": "lost"})) == 2)
    assert len(ids(chat)) == 5
    shop.run("truncate shop.payments")
    await until(lambda: ids(chat) == [])


async def test_a_policy_that_changes_reaches_copies_with_the_next_pull(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, _ = people
    tenant = shop.tenant(ann.user_id)
    shop.pay(tenant, 2)
    shop.pay(tenant, status="void")
    chat = await open_chat(ann)
    assert len(ids(chat)) == 3
    shop.run(
        "create policy nobody_reads_void_ones on shop.payments as restrictive"
        " for select to authenticated using (status <> 'void')"
    )
    try:
        await chat.sync()
        assert len(ids(chat)) == 2
    finally:
        shop.run("drop policy nobody_reads_void_ones on shop.payments")
    await chat.sync()
    assert len(ids(chat)) == 3


async def test_a_subset_is_what_the_app_asked_for(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, _ = people
    tenant = shop.tenant(ann.user_id)
    (open_one,), (old,) = shop.pay(tenant), shop.pay(tenant)
    shop.pay(tenant, status="void")
    shop.run("update shop.payments set paid_at = now() - interval '91 days' where id = %s", old)
    subset = Table(PAYMENTS, where={"status": ["open", "paid"]}, newest=("paid_at", 90))
    chat = await open_chat(ann, tables=[subset])
    assert ids(chat) == [open_one]
    shop.run("update shop.payments set status = 'void' where id = %s", open_one)
    await until(lambda: ids(chat) == [])
    shop.run("update shop.payments set status = 'paid' where id = %s", open_one)
    await until(lambda: ids(chat) == [open_one])
    # What has become too old goes by the clock of the server.
    chat._store.execute("update table_rows set at = at - 91 * 86400000000")
    await chat.sync()
    assert ids(chat) == []
    await chat.close()
    everything = await open_chat(ann)
    assert len(ids(everything)) == 3


async def test_rows_are_read_and_looked_up_without_a_network(
    stack: Status, shop: Shop, people: list[Account], tmp_path: Path
) -> None:
    ann, _ = people
    shop.pay(shop.tenant(ann.user_id), 3)
    async with FaultProxy(stack.api_url, 1).serving() as proxy:
        store = tmp_path / "ann.db"
        async with Chat(proxy.url, stack.publishable_key, store, tables=TABLES) as chat:
            await chat.sign_in(ann.email, "correct horse battery staple")
            await chat.sync()
            rows = chat.table(PAYMENTS).rows()
        proxy.faults.is_cut = True
        async with Chat(proxy.url, stack.publishable_key, store, tables=TABLES) as chat:
            assert chat.table(PAYMENTS).rows() == rows and len(rows) == 3
            assert chat.table(PAYMENTS).get(rows[0]["id"]) == rows[0]
            assert chat.table(PAYMENTS).progress.is_done
            shop.run("delete from shop.payments where id = %s", rows[0]["id"])
            proxy.faults.is_cut = False
            await until(lambda: ids(chat) == [row["id"] for row in rows[1:]], 30)


async def test_a_table_that_does_not_travel_is_told_and_holds_up_nothing(
    shop: Shop, people: list[Account], open_chat: Open
) -> None:
    ann, _ = people
    tenant = shop.tenant(ann.user_id)
    (payment,) = shop.pay(tenant)
    tables = [Table("shop.secrets"), *TABLES, Table(NOTES.replace("notes", "other"))]
    chat = Chat(*(await connection_of(open_chat, ann)), tables=tables)
    async with chat:
        with pytest.raises(TableNotFound):
            await chat.sync()
        assert ids(chat) == [payment]
    wrong = Chat(chat._server.url, chat._server.key, chat._store.path,
                 tables=[Table(PAYMENTS, where={"cost": 7})])  # fmt: skip
    async with wrong:
        # A column that the caller may not read.
        with pytest.raises(InvalidInput):
            await wrong.sync()


async def test_rows_are_of_the_models_that_parley_types_writes(
    stack: Status, shop: Shop, people: list[Account], open_chat: Open, tmp_path: Path
) -> None:
    ann, _ = people
    shop.run("insert into shop.notes values (%s, 1, 'mine')", ann.user_id)
    (payment,) = shop.pay(shop.tenant(ann.user_id))
    generate(stack.db_url, ("shop",), output=tmp_path)
    spec = importlib.util.spec_from_file_location("shop_models", tmp_path / "models.py")
    assert spec is not None and spec.loader is not None
    models = sys.modules["shop_models"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    chat = await open_chat(ann, live=False)
    (row,) = chat.table(NOTES, models.NotesRow).rows({"place": 1})
    assert (row.user_id, row.place, row.body) == (UUID(ann.user_id), 1, "mine")
    # Ann may not read what a payment costs the shop.
    (paid,) = chat.table(PAYMENTS, models.PaymentsRow).rows()
    assert (paid.id, paid.status, hasattr(paid, "cost")) == (payment, "open", False)
