"""The app of examples/next-chat: installed and built, and on a port of its own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from parley.node import find_node
from parley.stack import Status
from tests.packing import ROOT, WEB, pack, run

APP = ROOT / "examples" / "next-chat"
STAMP = APP / "node_modules" / ".stamp"
NEXT = APP / "node_modules" / "next" / "dist" / "bin" / "next"
QUIET = {**os.environ, "NEXT_TELEMETRY_DISABLED": "1", "NODE_NO_WARNINGS": "1"}
STARTS_WITHIN_S = 60


def digest(paths: Iterable[Path]) -> str:
    """Return a digest of the contents of files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def sources() -> list[Path]:
    """What the package is made of."""
    found = [*(WEB / "src").rglob("*.*"), *(WEB / "react").rglob("*.*"), *WEB.glob("*.*")]
    return sorted(found)


def install() -> None:
    """Fill node_modules of the app as its lock says, with the package of this checkout."""
    wanted = [digest([APP / "package-lock.json"]), digest(sources())]
    found = STAMP.read_text().split() if STAMP.is_file() else []
    if found == wanted:
        return
    if found[:1] != wanted[:1]:
        run(APP, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
    package = APP / "node_modules" / "parley-chat"
    shutil.rmtree(package)
    with TemporaryDirectory(dir=package.parent) as folder:
        pack(Path(folder)).rename(package)
    STAMP.write_text("\n".join(wanted))


def build(stack: Status) -> str:
    """Build the app for a stack; returns what the build prints."""
    told = {
        "NEXT_PUBLIC_SUPABASE_URL": stack.api_url,
        "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY": stack.publishable_key,
    }
    return run(APP, find_node(), NEXT, "build", env={**QUIET, **told})


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Serve the app that was built; gives its URL."""
    process = await asyncio.create_subprocess_exec(
        *(find_node(), NEXT, "start", "--hostname", "127.0.0.1", "--port", "0"),
        cwd=APP,
        env=QUIET,
        stdout=PIPE,
        stderr=STDOUT,
    )
    assert process.stdout is not None
    try:
        said = ""
        async with asyncio.timeout(STARTS_WITHIN_S):
            while (found := re.search(r"http://127\.0\.0\.1:\d+", said)) is None:
                line = (await process.stdout.readline()).decode()
                assert line, f"The app does not start: {said}"
                said += line
        yield f"{found[0]}/"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
