"""The package parley-chat as npm packs it, for tests of apps that install it."""

from __future__ import annotations

import fcntl
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"


def run(folder: Path, *command: str | Path, env: dict[str, str] | None = None) -> str:
    """Run something in a folder and return what it prints; fails with that when it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=env,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def pack(folder: Path) -> Path:
    """Pack the package, and unpack it in a folder; returns the folder with its package.json."""
    # Packing builds in web/dist, where another process of the tests may be at it too.
    with (ROOT / "node_modules" / ".packing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(WEB, "npm", "pack", "--pack-destination", folder)
    (archive,) = folder.glob("parley-chat-*.tgz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return folder / "package"
