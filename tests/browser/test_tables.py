"""Tables of an app in the copies of real browsers: they become what their owners may select."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import psycopg
import pytest
import pytest_asyncio

from parley.stack import Status
from tests.browser.chat_people import ChatTab, chat
from tests.browser.chromium import Chromium, Device
from tests.browser.payments import FORGET, MAKE, NAME, PAY, shown
from tests.e2e.sync_people import sign_up

pytestmark = pytest.mark.lasts(30)

MANY = 5000
ROWS = "async where => await parley.table('public.payments').rows(where ?? {})"
PROGRESS = "async () => await parley.table('public.payments').progress()"
IS_DONE = "async () => (await parley.table('public.payments').progress()).is_done"
COUNTS = """async ([where, count]) =>
  (await parley.table('public.payments').rows(where)).length === count"""
PAGES = """() => {
  globalThis.pages = [];
  parley.table('public.payments').subscribe(async () =>
    pages.push(await parley.table('public.payments').progress()));
}"""


@pytest.fixture(scope="module")
def urls(stack: Status) -> Iterator[Status]:
    """The stack, with a table of an app in it."""
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute(MAKE)
        try:
            yield stack
        finally:
            connection.execute(FORGET)


@dataclass
class Office:
    """Ann and Bob on devices of their own, in a tenant that Ann owns."""

    urls: Status
    ann: ChatTab
    bob: ChatTab
    anns: Device
    bobs: Device
    tenant_id: str

    def run(self, query: str, *parameters: object) -> None:
        """Run SQL as the app's server would."""
        with psycopg.connect(self.urls.db_url) as connection:
            connection.execute(query, parameters)

    async def is_same(self, person: ChatTab) -> None:
        """Wait until the copy of somebody is what they may select."""
        await person.until(
            """async rows =>
              JSON.stringify(await parley.table('public.payments').rows()) === rows""",
            await person.tab.run(
                "rows => JSON.stringify(rows)", shown(self.urls.db_url, person.account.user_id)
            ),
        )


@pytest_asyncio.fixture
async def office(chromium: Chromium, urls: Status) -> AsyncIterator[Office]:
    """New accounts on new devices, whose copies have payments too."""
    async with AsyncExitStack() as exits:
        anns, bobs = [await exits.enter_async_context(chromium.device()) for _ in range(2)]
        accounts = [await sign_up(urls, each) for each in ("Ann", "Bob")]
        tables = [{"name": NAME, "indexes": ["status"]}]
        ann, bob = await asyncio.gather(
            chat(anns, accounts[0], urls, tables), chat(bobs, accounts[1], urls, tables)
        )
        tenant = (await ann.rpc("create_tenant", name="North"))["tenant_id"]
        invite = await ann.rpc("create_tenant_invite", tenant_id=tenant, max_uses=1)
        await bob.rpc("accept_tenant_invite", token=invite["token"])
        await asyncio.gather(ann.call("sync"), bob.call("sync"))
        await asyncio.gather(ann.is_state("live"), bob.is_state("live"))
        yield Office(urls, ann, bob, anns, bobs, tenant)
        assert anns.complaints == [] and bobs.complaints == []


async def test_a_table_comes_in_pages_that_say_how_far_it_is_and_is_then_what_is_shown(
    office: Office,
) -> None:
    ann = office.ann
    await ann.tab.close()
    office.run(PAY, office.tenant_id, MANY)
    again = ChatTab(await office.anns.open_tab(), ann.account, office.urls)
    await again.begin(signs_in=False, tables=[{"name": NAME, "where": {"status": "open"}}])
    await again.tab.run(PAGES)
    await again.until(IS_DONE)
    await office.is_same(again)
    pages = await again.tab.run("() => pages")
    assert len({each["fetched"] for each in pages}) > 2
    assert all(each["fetched"] <= each["about"] for each in pages)
    assert (await again.tab.run(PROGRESS))["fetched"] == MANY


async def test_changes_arrive_by_themselves_and_what_is_hidden_or_deleted_leaves(
    office: Office,
) -> None:
    ann, bob, tenant = office.ann, office.bob, office.tenant_id
    office.run(PAY, tenant, 20)
    for person in (ann, bob):
        await person.until(COUNTS, [{"status": "open"}, 20])
    first, second = [each["id"] for each in await bob.tab.run(ROWS)][:2]
    office.run(
        "update public.payments set status = 'paid' where id <> %s and tenant_id = %s",
        first,
        tenant,
    )
    await bob.until(COUNTS, [{"status": ["paid"]}, 19])
    office.run("update public.payments set is_secret = true where id = %s", second)
    await bob.until(COUNTS, [{"status": "paid"}, 18])
    office.run("delete from public.payments where id = %s", first)
    await bob.until(COUNTS, [{"status": "open"}, 0])
    for person in (ann, bob):
        await office.is_same(person)
    got = "async id => await parley.table('public.payments').get(id)"
    assert await bob.tab.run(got, second) is None
    assert (await bob.tab.run(got, second + 1))["id"] == second + 1


async def test_a_second_tab_hears_of_changes_and_asks_the_server_for_nothing(
    office: Office,
) -> None:
    second = ChatTab(await office.bobs.open_tab(), office.bob.account, office.urls)
    asked: list[str] = []
    second.tab.page.on("request", lambda request: asked.append(request.url))
    await second.begin(signs_in=False, tables=[{"name": NAME, "indexes": ["status"]}])
    await second.tab.run(
        """() => {
          globalThis.heard = [];
          parley.table('public.payments').subscribe(change => heard.push(...change.keys));
        }"""
    )
    office.run(PAY, office.tenant_id, 1000)
    await second.until(COUNTS, [{}, 1000])
    # Each is named once, in however many pages they came.
    rows = await second.tab.run(ROWS)
    assert await second.tab.run("() => heard") == [each["id"] for each in rows]
    assert not [each for each in asked if "pull_" in each]


async def test_rows_are_there_at_once_without_a_network_and_what_was_missed_comes_with_it(
    office: Office,
) -> None:
    bob = office.bob
    office.run(PAY, office.tenant_id, 10)
    await bob.until(COUNTS, [{}, 10])
    await office.bobs.go_offline()
    office.run("update public.payments set amount = 7 where tenant_id = %s", office.tenant_id)
    office.run(PAY, office.tenant_id, 5)
    assert len(await bob.tab.run(ROWS)) == 10
    await office.bobs.go_offline(offline=False)
    await bob.until(COUNTS, [{"amount": 7}, 10])
    await office.is_same(bob)
    office.bobs.tabs.clear()


async def test_the_rows_of_a_tenant_leave_with_whoever_leaves_it_and_come_back_with_them(
    office: Office,
) -> None:
    ann, bob, tenant = office.ann, office.bob, office.tenant_id
    office.run(PAY, tenant, 10)
    for person in (ann, bob):
        await person.until(COUNTS, [{}, 10])
    await ann.rpc("remove_tenant_member", tenant_id=tenant, user_id=bob.account.user_id)
    await bob.until(COUNTS, [{}, 0])
    dump = await bob.dump()
    assert dump["table_rows"] == []
    assert tenant not in {each["owner_id"] for each in dump["table_owners"]}
    await office.is_same(ann)
    assert len((await ann.dump())["table_rows"]) == 10
    # Whoever comes back has them again, and hears of changes.
    invite = await ann.rpc("create_tenant_invite", tenant_id=tenant, max_uses=1)
    await bob.rpc("accept_tenant_invite", token=invite["token"])
    await bob.until(COUNTS, [{}, 10])
    office.run(PAY, tenant, 1)
    await bob.until(COUNTS, [{}, 11])


async def test_a_new_column_reaches_the_copies_and_another_subset_replaces_what_is_there(
    office: Office,
) -> None:
    ann, bob, tenant = office.ann, office.bob, office.tenant_id
    office.run(PAY, tenant, 10)
    await bob.until(COUNTS, [{}, 10])
    office.run("alter table public.payments add column note text default 'thanks'")
    try:
        for person in (ann, bob):
            await person.call("sync")
            await person.until(COUNTS, [{"note": "thanks"}, 10])
            await office.is_same(person)
    finally:
        office.run("alter table public.payments drop column note")
    await bob.call("sync")
    await office.is_same(bob)
    await bob.tab.close()
    again = ChatTab(await office.bobs.open_tab(), bob.account, office.urls)
    await again.begin(signs_in=False, tables=[{"name": NAME, "where": {"amount": [1, 2, 99]}}])
    await again.until(COUNTS, [{}, 2])
    await again.call("forget")


async def test_a_table_that_is_not_streamed_says_so_and_holds_up_no_chat(
    device: Device, urls: Status
) -> None:
    ann = await chat(
        device, await sign_up(urls, "Ann"), urls, [{"name": NAME}, {"name": "public.secrets"}]
    )
    await ann.until(IS_DONE)
    await ann.until("async () => (await parley.table('public.secrets').progress()).fault")
    room = await ann.rpc("create_room", name="Lisbon in May")
    await ann.sees_room(room["id"])
    # (The browser notes refusals itself.)
    device.tabs.clear()
