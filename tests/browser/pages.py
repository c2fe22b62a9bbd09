"""The pages of the site of the tests: that of the tests themselves, and what docs/web.md shows."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
OWN = Path(__file__).with_name("page.ts")
GUIDE = ROOT / "docs" / "web.md"
ESBUILD = ROOT / "node_modules" / "esbuild" / "bin" / "esbuild"
BLOCK = re.compile(r"```(?:ts|tsx)\n// (\S+)\n(.*?)```", re.DOTALL)
IMPORTS = {
    "parley-chat": ROOT / "web" / "src" / "index.ts",
    "parley-chat/react": ROOT / "web" / "react" / "index.ts",
}
"""What the package is called in a page, and what of the checkout that is."""


def blocks() -> dict[str, str]:
    """Return the code of the guide, by the name in its first line."""
    return dict(BLOCK.findall(GUIDE.read_text()))


def bundle(folder: Path) -> None:
    """Make a script of each page in a folder: ``page.js``, and ``main.js`` out of main.ts."""
    sources = [OWN]
    for name in ("main.ts", "chat.tsx"):
        sources.append(folder / name)
        sources[-1].write_text(blocks()[name])
    subprocess.run(
        [
            ESBUILD,
            *sources,
            "--bundle",
            "--format=esm",
            "--jsx=automatic",
            "--sourcemap=inline",
            "--log-level=warning",
            '--define:process.env.NODE_ENV="development"',
            *(f"--alias:{name}={path}" for name, path in IMPORTS.items()),
            "--entry-names=[name]",
            f"--outdir={folder}",
        ],
        env={**os.environ, "NODE_PATH": str(ROOT / "node_modules")},
        check=True,
    )
