"""Real browsers: devices with storage of their own, tabs in them, and the page that they show."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    ConsoleMessage,
    Page,
    async_playwright,
)

from parley.stack import Status
from tests.browser.pages import bundle

HTML = """\
<!doctype html>
<meta charset=utf-8>
<title>Parley</title>
<link rel=icon href="data:,">
<div id=root></div>
<script type=module src={script}></script>
"""
NAMES = ("chromium", "chromium-browser", "google-chrome")
REMEDY = "Chromium is not installed; 'apt-get install chromium' installs it."


def find_chromium() -> str:
    """Return the path of Chromium; without it, tests are skipped, but fail where CI is true."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    if os.environ.get("CI") == "true":
        pytest.fail(REMEDY)
    pytest.skip(REMEDY)


@dataclass
class Tab:
    """A tab of a device. ``complaints`` are the errors and warnings in its console."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    _debugger: CDPSession | None = None
    _asking: asyncio.Future[Any] | None = None

    async def run(self, script: str, argument: Any = None) -> Any:
        """Return what a function of JavaScript, awaited, makes of an argument, as JSON."""
        return await self.page.evaluate(script, argument)

    async def until(self, script: str, argument: Any = None, within_s: float = 15.0) -> None:
        """Wait until a function of JavaScript returns what counts as true. Raises TimeoutError."""
        await self.page.wait_for_function(script, arg=argument, timeout=within_s * 1000)

    async def freeze(self) -> None:
        """Stop everything in the tab; it keeps its locks.

        The debugger does that: Chromium itself freezes no tab that Playwright shows, since all of
        them count as visible. So there are no ``freeze`` and ``resume`` events.
        """
        self._debugger = await self.page.context.new_cdp_session(self.page)
        paused = asyncio.Event()
        self._debugger.once("Debugger.paused", lambda _: paused.set())
        await self._debugger.send("Debugger.enable")
        await self._debugger.send("Debugger.pause")
        # It stops where the next script begins, which may be before this one: then nobody answers.
        script = {"expression": "setTimeout(() => {})", "awaitPromise": False}
        self._asking = asyncio.ensure_future(self._debugger.send("Runtime.evaluate", script))
        await paused.wait()

    async def thaw(self) -> None:
        """Let a frozen tab go on where it was."""
        assert self._debugger is not None
        await self._debugger.send("Debugger.resume")
        assert self._asking is not None
        await self._asking
        await self._debugger.detach()
        self._debugger = None

    async def crash(self) -> None:
        """End the process of the tab; nothing in it runs any more."""
        async with self.page.expect_event("crash"):
            # (There is no answer from a tab that is gone.)
            asking = asyncio.ensure_future(self.page.goto("chrome://crash"))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    async def close(self) -> None:
        """Close the tab as somebody does."""
        await self.page.close()

    def _listen(self) -> Tab:
        def hear(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.complaints.append(message.text)

        self.page.on("console", hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return self


class Device:
    """A browser as one person has it: its tabs share storage, which no other device sees."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.tabs: list[Tab] = []

    async def open_tab(self, page: str = "") -> Tab:
        """Open a tab with the page of the tests, or another one of ``pages``."""
        tab = Tab(await self.context.new_page())._listen()
        self.tabs.append(tab)
        await tab.page.goto(f"{self.url}{page}")
        return tab

    async def sign_in(self, stack: Status, email: str, password: str) -> None:
        """Sign in on this device. The pages find URL and key as globals."""
        told = {"SUPABASE_URL": stack.api_url, "SUPABASE_KEY": stack.publishable_key}
        await self.context.add_init_script(f"Object.assign(globalThis, {json.dumps(told)})")
        tab = await self.open_tab()
        error = await tab.run(
            """async person => {
              const supabase = createClient(SUPABASE_URL, SUPABASE_KEY);
              return (await supabase.auth.signInWithPassword(person)).error?.message;
            }""",
            {"email": email, "password": password},
        )
        assert error is None, error
        await tab.close()

    async def kill(self) -> None:
        """Kill the browser as a lost battery does. For devices in a folder, which have one."""
        browser = self.context.browser
        assert browser is not None
        debugger = await browser.new_browser_cdp_session()
        processes = (await debugger.send("SystemInfo.getProcessInfo"))["processInfo"]
        (pid,) = [each["id"] for each in processes if each["type"] == "browser"]
        async with self.context.expect_event("close"):
            os.kill(pid, signal.SIGKILL)

    async def go_offline(self, *, offline: bool = True) -> None:
        """Take the network from all tabs, or give it back."""
        await self.context.set_offline(offline)

    @property
    def complaints(self) -> list[str]:
        """What the consoles of all tabs say is wrong."""
        return [each for tab in self.tabs for each in tab.complaints]


class Chromium:
    """One Chromium for a suite, and the site with the page that its tabs show."""

    def __init__(self, browser: Browser, path: str, url: str) -> None:
        self._browser = browser
        self._path = path
        self.url = url

    @asynccontextmanager
    async def device(self) -> AsyncIterator[Device]:
        """A device that has never been here."""
        context = await self._browser.new_context()
        try:
            yield Device(context, self.url)
        finally:
            # A request that a test answers right now would be that error of the next test.
            await context.unroute_all(behavior="ignoreErrors")
            await context.close()

    @asynccontextmanager
    async def device_in(self, profile: Path) -> AsyncIterator[Device]:
        """A Chromium of its own that keeps its storage in a folder: what opens it next has it."""
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile, executable_path=self._path
            )
            try:
                yield Device(context, self.url)
            finally:
                await context.close()


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[str]:
    """Serve the pages from 127.0.0.1, which browsers trust as they trust https."""
    await asyncio.to_thread(bundle, folder)

    async def show(request: web.Request) -> web.Response:
        script = request.match_info.get("name") or "page"
        return web.Response(text=HTML.format(script=f"{script}.js"), content_type="text/html")

    app = web.Application()
    app.router.add_get("/", show)
    app.router.add_get("/{name:[a-z]+}", show)
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        place = web.TCPSite(runner, "127.0.0.1", 0)
        await place.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Chromium]:
    """Start Chromium and the site. ``folder`` is for the files of the page."""
    path = find_chromium()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(site(folder))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=path)
        stack.push_async_callback(browser.close)
        yield Chromium(browser, path, url)
