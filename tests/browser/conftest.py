"""A Chromium for all suites of a process, and devices that have never been here."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.chromium import Chromium, Device, chromium
from tests.e2e.chat_people import door, people

__all__ = ["door", "people"]

PATIENCE_MS = 15_000
"""How long a page may take to show something, on a machine that is busy with other tests."""


@pytest_asyncio.fixture(scope="session", loop_scope="session", name="chromium")
async def start_chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chromium]:
    """The browser; see ``find_chromium`` for what happens without one."""
    expect.set_options(timeout=PATIENCE_MS)
    async with chromium(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest_asyncio.fixture
async def device(chromium: Chromium) -> AsyncIterator[Device]:
    """A device of this test's own, which has nothing to complain about at its end."""
    async with chromium.device() as opened:
        yield opened
        assert opened.complaints == []
