"""The page of ``web/page``, as the front door serves it at ``/``.

In a checkout it is built by the first request for it; a wheel holds it built. It is kept in memory
and handed out by the exact names of its files; no request ever names a path on the disk. Answers
are for this stack's own origin alone: the host has to be right, and no other site may read them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
from aiohttp import hdrs, web
from psycopg.rows import dict_row

from parley.errors import NodeMissing
from parley.node import find_node
from parley.queries import queries
from parley.resources import ROOT
from parley.stack.refusal import RequestRefusal
from parley.stack.state import State

DEMO_EMAILS = ("ann@parley.example", "bob@parley.example", "cat@parley.example")
DEMO_PASSWORD = "parley-demo"  # noqa: S105
"""The password of everybody in supabase/seed.sql."""
SOURCES = ROOT / "web" / "page"
BUILT = ROOT / "page"
"""The page in a wheel, which holds it as it was built."""
FRONT = "index.html"
WORKER = "sw.js"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
BUILD_SECONDS = 60
SAME_ORIGIN = "same-origin"
FOR_EVER = "public, max-age=31536000, immutable"
"""Files but the first have the hash of their content in their name."""

logger = logging.getLogger(__name__)
query = queries("parley.stack")


@dataclass(frozen=True, slots=True)
class File:
    """A file of the page."""

    body: bytes
    type: str


class Page:
    """The page of one stack."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._files: dict[str, File] = {}
        self._loading = asyncio.Lock()
        self._hosts = {f"{name}:{state.api_port}" for name in ("127.0.0.1", "localhost")}

    def add_routes(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/", self.show)
        app.router.add_get("/page.json", self.introduce)
        app.router.add_get(f"/{WORKER}", self.work)
        app.router.add_get(r"/{name:[a-z_]+-[A-Z0-9]{8}\.[a-z]+}", self.hand_out)

    async def show(self, request: web.Request) -> web.Response:
        """Answer the page itself."""
        return await self._answer(request, FRONT, "no-cache")

    async def work(self, request: web.Request) -> web.Response:
        """Answer the service worker, which shows pushes while no page is open."""
        return await self._answer(request, WORKER, "no-cache")

    async def hand_out(self, request: web.Request) -> web.Response:
        """Answer one of the files that the page names."""
        return await self._answer(request, request.match_info["name"], FOR_EVER)

    async def introduce(self, request: web.Request) -> web.Response:
        """Answer the public keys, and the people of the demo who are here."""
        try:
            self._check_host(request)
        except RequestRefusal as refusal:
            return refusal.answer
        connection = await psycopg.AsyncConnection.connect(
            self._state.admin_db_url, row_factory=dict_row
        )
        async with connection, connection.cursor() as cursor:
            who = {"emails": list(DEMO_EMAILS), "password": DEMO_PASSWORD}
            await cursor.execute(query("demo_people"), who)
            people = [{**row, "password": DEMO_PASSWORD} for row in await cursor.fetchall()]
        return web.json_response(
            {
                "key": self._state.publishable_key,
                "vapid_key": vapid_key(self._state),
                "people": people,
            },
            headers={
                hdrs.CACHE_CONTROL: "no-store",
                "Cross-Origin-Resource-Policy": SAME_ORIGIN,
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def _answer(self, request: web.Request, name: str, cached: str) -> web.Response:
        try:
            self._check_host(request)
            await self._load()
            file = self._files.get(name)
            if file is None:
                raise RequestRefusal(404, "Nothing is served at this path.")
        except RequestRefusal as refusal:
            return refusal.answer
        response = web.Response(
            body=file.body,
            headers={
                hdrs.CONTENT_TYPE: file.type,
                hdrs.CACHE_CONTROL: cached,
                "Content-Security-Policy": policy(request.host),
                "Cross-Origin-Opener-Policy": SAME_ORIGIN,
                "Cross-Origin-Resource-Policy": SAME_ORIGIN,
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
                hdrs.VARY: hdrs.ACCEPT_ENCODING,
            },
        )
        response.enable_compression()
        return response

    def _check_host(self, request: web.Request) -> None:
        """Refuse a host that only a forged name leads here, as a site elsewhere could have."""
        if request.host not in self._hosts:
            raise RequestRefusal(421, f"Open {self._state.api_url}/ instead.")

    async def _load(self) -> None:
        """Build or read the files once. Raises RequestRefusal."""
        async with self._loading:
            if not self._files and BUILT.is_dir():
                self._files = await asyncio.to_thread(read, BUILT)
            elif not self._files:
                self._files = await build(SOURCES)


async def build(folder: Path) -> dict[str, File]:
    """Bundle the page of a folder; returns its files by name. Raises RequestRefusal."""
    with tempfile.TemporaryDirectory(prefix="parley-page-") as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *(find_node(), folder / "build.js", output),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except NodeMissing as error:
            raise RequestRefusal(503, f"{error.detail} {error.hint}") from error
        try:
            async with asyncio.timeout(BUILD_SECONDS):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            said, _ = await process.communicate()
        if process.returncode != 0:
            logger.error("The page could not be built: %s", said.decode(errors="replace"))
            raise RequestRefusal(
                503, "The page could not be built; 'parley logs gateway' says why."
            )
        return await asyncio.to_thread(read, Path(output))


def vapid_key(state: State) -> str | None:
    """Return the public key of ``supabase/functions/.env`` that pushes are signed with."""
    try:
        settings = json.loads((state.home / "functions.json").read_text())
    except (OSError, ValueError):
        return None
    key: str | None = settings["environment"].get("VAPID_PUBLIC_KEY")
    return key


def read(folder: Path) -> dict[str, File]:
    """Read the files that were built."""
    return {each.name: File(each.read_bytes(), TYPES[each.suffix]) for each in folder.iterdir()}


def policy(host: str) -> str:
    """Return what the page may do: nothing from elsewhere, and no script or style in its text."""
    return "; ".join(
        (
            "default-src 'self'",
            "img-src 'self' blob:",
            f"connect-src 'self' ws://{host}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
        )
    )
