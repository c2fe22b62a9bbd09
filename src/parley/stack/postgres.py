"""The embedded Postgres: one cluster per stack, with what Supabase gives a project."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg import sql

from parley.errors import DiskFull, OtherMajorVersion, PartFailed
from parley.node import node_modules, read_manifest
from parley.stack.account import Account, abandoned_clusters, cluster_folder
from parley.stack.binaries import install_server, package_name
from parley.stack.part import Part, Process
from parley.stack.state import State

MAJOR_VERSION = "17"
SUPERUSER = "supabase_admin"
NEEDED_BYTES = 300 * 1024 * 1024
START_SECONDS = 60.0
PROBE_SECONDS = 3
PLATFORM = Path(__file__).with_name("platform.sql")

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_slot_wal_keep_size": "1GB",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "password_encryption": "scram-sha-256",
    "shared_preload_libraries": "pg_stat_statements",
}


class Postgres:
    """The server of one stack."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.account = Account.current()
        self.folder = cluster_folder(state.home)
        self.data = self.folder / "data"
        self.marker = self.folder / "complete"
        self.server = install_server()

    @property
    def version(self) -> str:
        """The version of the server, such as 17.10."""
        full = read_manifest(node_modules() / package_name())["version"]
        return ".".join(str(full).split(".")[:2])

    @property
    def is_complete(self) -> bool:
        """Say whether the cluster has been made for this stack, platform objects included."""
        return self._marker().get("stack") == self.state.id

    @property
    def is_current(self) -> bool:
        """Say whether the platform objects are the ones of this version of Parley."""
        return self._marker().get("platform") == platform_digest()

    def _marker(self) -> dict[str, str]:
        try:
            return dict(json.loads(self.marker.read_text()))
        except (OSError, ValueError):
            return {}

    def create(self) -> None:
        """Delete the files of an unfinished initdb and run it. Raises DiskFull, PartFailed."""
        sweep()
        self.remove()
        try:
            self.account.make_folder(self.folder)
            (self.folder / "home").write_text(str(self.state.home))
            check_room(self.folder)
            password = self.folder / "password"
            password.touch(mode=0o600)
            password.write_text(self.state.admin_password)
            self.account.own(password)
            try:
                self.initdb(password)
            finally:
                password.unlink()
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise no_room(self.folder) from error
            raise

    def initdb(self, password: Path) -> None:
        """Make the cluster with the locale that hosted projects have."""
        result = subprocess.run(
            [
                str(self.server / "bin" / "initdb"),
                f"--pgdata={self.data}",
                f"--username={SUPERUSER}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                f"--lc-ctype={'en_US.UTF-8' if sys.platform == 'darwin' else 'C.UTF-8'}",
                "--locale-provider=icu",
                "--icu-locale=en-US",
                "--no-instructions",
                "--no-sync",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            user=self.account.uid,
            group=self.account.gid,
            extra_groups=[] if self.account.is_other else None,
        )
        if result.returncode != 0:
            if "No space left on device" in result.stderr:
                raise no_room(self.folder)
            last = result.stderr.strip().splitlines()[-1:] or ["initdb failed"]
            raise PartFailed(
                f"Postgres could not make its data folder: {last[0]}",
                "Run 'parley doctor', or choose another folder with --data.",
            )

    async def begin(self, lock: int) -> Process:
        """Start the server and wait until it answers. Raises PartFailed, OtherMajorVersion."""
        check_version(self.data)
        part = self.part("postgres", self.data, self.state.db_port, lock)
        return await part.begin(lambda: answers(self.state.admin_db_url), START_SECONDS)

    def part(self, name: str, data: Path, port: int, lock: int) -> Part:
        """Return the process of a server of this stack."""
        settings = {**SETTINGS, "port": str(port)}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return Part(
            name=name,
            command=[str(self.server / "bin" / "postgres"), "-D", str(data), *options],
            log=self.state.log(name),
            lock=lock,
            folder=self.folder,
            account=self.account,
            stop_signal=signal.SIGINT,
            grace=20.0,
        )

    def forget_leftover(self) -> None:
        """Delete the pid file of a killed server; another process may have its id by now.

        Call it only while holding the parts' lock: then no process of that server is left.
        """
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def install_platform(self) -> None:
        """Run platform.sql and set the passwords of this stack."""
        async with await psycopg.AsyncConnection.connect(self.state.admin_db_url) as connection:
            await connection.execute(PLATFORM.read_text())
            await connection.execute(
                sql.SQL("alter role postgres password {}").format(sql.Literal(self.state.password))
            )

    def finish(self) -> None:
        """Record that the cluster is complete, and which stack it belongs to."""
        self.marker.write_text(json.dumps({"stack": self.state.id, "platform": platform_digest()}))

    def remove(self) -> None:
        """Delete the cluster."""
        if self.folder.exists():
            shutil.rmtree(self.folder)


async def answers(url: str) -> bool:
    """Say whether the server of a URL takes connections."""
    try:
        connection = await psycopg.AsyncConnection.connect(url, connect_timeout=PROBE_SECONDS)
    except psycopg.OperationalError:
        return False
    await connection.close()
    return True


def platform_digest() -> str:
    """Return the digest of platform.sql."""
    return hashlib.sha256(PLATFORM.read_bytes()).hexdigest()


def check_version(data: Path) -> None:
    """Refuse a cluster of another major version. Raises OtherMajorVersion."""
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except OSError:
        return
    if version != MAJOR_VERSION:
        raise OtherMajorVersion(
            f"The data in {data} was made by Postgres {version}, and this is {MAJOR_VERSION}.",
            "Choose another folder with --data, or delete it with 'parley reset'.",
        )


def check_room(folder: Path) -> int:
    """Return the free bytes where a folder is or will be. Raises DiskFull when too few."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < NEEDED_BYTES:
        raise no_room(folder)
    return free


def no_room(folder: Path) -> DiskFull:
    """Return the error of a full disk."""
    return DiskFull(
        f"There is no room for a database in {folder} ({NEEDED_BYTES // 1024**2} MB are needed).",
        "Free some space, or choose another folder with --data.",
    )


def sweep() -> None:
    """Delete root's clusters whose state folder is gone, unless a server still runs there."""
    for cluster in abandoned_clusters():
        if not has_server(cluster / "data"):
            shutil.rmtree(cluster, ignore_errors=True)


def has_server(data: Path) -> bool:
    """Whether the process in a cluster's pid file exists."""
    try:
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), 0)
    except (OSError, ValueError, IndexError):
        return False
    return True
