"""The page of examples/dashboard: built for a stack, and served from a port of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from parley.node import find_node
from parley.stack import Status
from tests.packing import ROOT, pack, run

APP = ROOT / "examples" / "dashboard"
MIGRATION = APP / "supabase" / "migrations" / "20261201000000_dashboard.sql"
SEED = APP / "supabase" / "seed.sql"
MADE = ("node_modules", "dist", ".env*", "package-lock.json")
MODULES = ROOT / "node_modules"


def build(folder: Path, stack: Status) -> Path:
    """Build the page in a folder, with the package of this checkout; returns what to serve."""
    app = folder / "app"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns(*MADE))
    (app / "node_modules").mkdir()
    pack(folder).rename(app / "node_modules" / "parley-chat")
    # (The rest is what the checkout has anyway, and the example needs no lock of its own.)
    for name in ("@supabase", "@types", "idb", "react", "react-dom", "typescript", "vite"):
        (app / "node_modules" / name).symlink_to(MODULES / name)
    told = {"VITE_SUPABASE_URL": stack.api_url, "VITE_SUPABASE_KEY": stack.publishable_key}
    run(app, find_node(), MODULES / "typescript" / "bin" / "tsc")
    said = run(
        app, find_node(), MODULES / "vite" / "bin" / "vite.js", "build", env={**os.environ, **told}
    )
    assert "warn" not in said.lower() and "(!)" not in said, said
    return app / "dist"


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[str]:
    """Serve what was built; gives its URL."""

    async def start(_: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / "index.html")

    app = web.Application()
    app.router.add_get("/", start)
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()
