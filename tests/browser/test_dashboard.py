"""The page of examples/dashboard: there at once, also offline, and up to date by one event."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Page, WebSocket, expect

from parley.stack import Status
from tests.browser.chromium import Device
from tests.browser.dashboard_app import MIGRATION, SEED, build, serving
from tests.e2e.sync_people import PASSWORD, sign_up

pytestmark = pytest.mark.lasts(40)

FORGET = """
select chat_private.unstream_table(each::regclass)
from unnest('{companies,documents,payments,statements}'::text[]) as each;
drop table public.documents, public.payments, public.statements, public.companies;
delete from chat.tenant_members where tenant_id::text like '0d5b0000-%';
delete from chat.tenants where tenant_id::text like '0d5b0000-%';
"""
BAKERY = "0d5b0000-0000-4000-8000-000000000001"
PAY = "update public.payments set status = 'paid' where status = 'open' and tenant_id = %s"
OPEN = "Open payments1000To pay€458,800.00"
"""What is open at each company, as the page says it."""


@pytest.fixture
def books(stack: Status) -> Iterator[Status]:
    """The stack with what the page needs in the database; whoever has signed up keeps the books."""
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute(MIGRATION.read_bytes())
        connection.execute(SEED.read_bytes())
        try:
            yield stack
        finally:
            connection.execute(FORGET)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def url(stack: Status, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Where the page is."""
    folder = await asyncio.to_thread(build, tmp_path_factory.mktemp("dashboard"), stack)
    async with serving(folder) as started:
        yield started


async def sign_in(page: Page, email: str) -> None:
    """Sign in as somebody does."""
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_dashboard_is_there_at_once_without_a_network_and_follows_by_one_event(
    device: Device, url: str, stack: Status, request: pytest.FixtureRequest
) -> None:
    ann = await sign_up(stack, "Ann")
    books: Status = request.getfixturevalue("books")
    device.url = url
    tab = await device.open_tab()
    page = tab.page
    told: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: told.append(str(frame)))

    page.on("websocket", listen)
    await sign_in(page, ann.email)
    bakery = page.get_by_role("button", name=re.compile("Harbour Bakery"))
    garage = page.get_by_role("button", name=re.compile("Hillside Garage"))
    for company in (bakery, garage):
        await expect(company).to_contain_text(OPEN)
        await expect(company).to_contain_text("€19,268.75")
    await expect(page.get_by_role("status")).to_have_text("live")
    await expect(page.get_by_role("progressbar")).to_have_count(0)

    # The files of the page are kept, too.
    await tab.run("async () => { await navigator.serviceWorker.ready }")
    await device.go_offline()
    await page.reload()
    await expect(bakery).to_contain_text(OPEN)
    await expect(page.get_by_role("status")).to_contain_text("no network")
    await garage.click()
    await expect(page.get_by_role("region", name="Hillside Garage")).to_contain_text("950 more")

    await device.go_offline(offline=False)
    await expect(page.get_by_role("status")).to_have_text("live")
    told.clear()
    with psycopg.connect(books.db_url) as connection:
        assert connection.execute(PAY, [BAKERY]).rowcount == 1000
    await expect(page.get_by_text("Last news of payments at")).to_be_visible()
    await expect(bakery).to_contain_text("Open payments0To pay€0.00")
    assert len([frame for frame in told if "table_changed" in frame]) == 1
    device.tabs.clear()


async def test_a_payment_is_paid_where_it_always_was_and_leaves_the_list(
    device: Device, url: str, stack: Status, request: pytest.FixtureRequest
) -> None:
    ann = await sign_up(stack, "Ann")
    request.getfixturevalue("books")
    device.url = url
    page = (await device.open_tab()).page
    await sign_in(page, ann.email)
    payments = page.get_by_role("table", name="Open payments")
    await expect(payments).to_contain_text("and 950 more")
    await payments.get_by_role("button", name="Paid").first.click()
    await expect(payments).to_contain_text("and 949 more")
