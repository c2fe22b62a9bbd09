"""Node and the npm packages of the local stack: where they are, and whether they can be used."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from parley.errors import NodeMissing, PackagesMissing
from parley.resources import IS_CHECKOUT, ROOT, shared_folder

LISTS = ("package.json", "package-lock.json", "web/package.json")
"""What npm reads to fetch the packages; the lock names the content of each."""
INSTALL = (
    "Run 'npm ci' in the checkout."
    if IS_CHECKOUT
    else "Run 'parley up' once, with a network: it fetches them."
)
OLDEST_NODE = 20
NPM_OPTIONS = (
    *("--omit=dev", "--workspaces=false", "--ignore-scripts"),
    *("--no-audit", "--no-fund", "--loglevel=error"),
)


def find_node() -> str:
    """Return the path of Node. Raises NodeMissing when it is absent or older than 20."""
    remedy = f"Install Node {OLDEST_NODE} or newer (nodejs.org, or your package manager)."
    node = shutil.which("node")
    if node is None:
        raise NodeMissing("Node is not installed, and REST, Auth and Storage need it.", remedy)
    try:
        output = subprocess.run(
            [node, "--version"], capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise NodeMissing(f"{node} does not run.", remedy) from error
    major = re.match(r"v(\d+)", output)
    if major is None or int(major[1]) < OLDEST_NODE:
        raise NodeMissing(f"Node {output} is too old.", remedy)
    return node


def packages_folder() -> Path:
    """Return where the npm packages belong: the checkout, else a folder for this very lock file."""
    if IS_CHECKOUT:
        return ROOT
    lock = (ROOT / "package-lock.json").read_bytes()
    return shared_folder() / f"npm-{hashlib.sha256(lock).hexdigest()[:16]}"


def node_modules() -> Path:
    """Return the folder of the installed npm packages. Raises PackagesMissing."""
    place = packages_folder() / "node_modules"
    if (place / "@supabase" / "lite" / "package.json").is_file():
        return place
    raise PackagesMissing("The npm packages of the stack are not installed.", INSTALL)


def supabase_cli() -> list[str]:
    """Return the command that runs the Supabase CLI. Raises NodeMissing, PackagesMissing."""
    return [find_node(), str(node_modules() / "supabase" / "dist" / "supabase.js")]


def must_fetch_packages() -> bool:
    """Say whether this is no checkout, and the npm packages have not been fetched yet."""
    return not (IS_CHECKOUT or packages_folder().is_dir())


def fetch_packages() -> None:
    """Fetch the npm packages into the cache, whole or not at all; no script of theirs is run.

    Raises NodeMissing, PackagesMissing.
    """
    folder = packages_folder()
    find_node()
    npm = shutil.which("npm")
    if npm is None:
        raise NodeMissing("npm is not installed; it comes with Node.", "Install npm as well.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder.parent) as made:
        scratch = Path(made, "packages")
        for name in LISTS:
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, scratch / name)
        done = subprocess.run(
            [npm, "ci", *NPM_OPTIONS],
            cwd=scratch,
            # Certificates of this machine count too, as they do for uv.
            env={**os.environ, "NODE_USE_SYSTEM_CA": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PackagesMissing(
                f"npm could not fetch the packages: {done.stderr.strip()}",
                "Try again with a network. Where a proxy reads TLS, name the file of its "
                "certificate: export NODE_EXTRA_CA_CERTS=…",
            )
        with contextlib.suppress(OSError):  # Somebody else was first.
            scratch.rename(folder)


def read_manifest(package: Path) -> dict[str, Any]:
    """Return the package.json of an installed package. Raises PackagesMissing."""
    try:
        manifest: dict[str, Any] = json.loads((package / "package.json").read_text())
    except (OSError, ValueError) as error:
        raise PackagesMissing(
            f"The npm package {package.name} is not installed.", INSTALL
        ) from error
    return manifest
