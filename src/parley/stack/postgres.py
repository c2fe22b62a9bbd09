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
from parley.stack.account import Account, abandoned_clusters, cluster_folder
from parley.stack.binaries import install_server, node_modules, package_name, read_manifest
from parley.stack.part import Part, Process
from parley.stack.state import State

MAJOR_VERSION = "17"
SUPERUSER = "supabase_admin"
NEEDED_BYTES = 300 * 1024 * 1024
START_SECONDS = 60.0
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
        """Run initdb, in place of what an unfinished one left. Raises DiskFull, PartFailed."""
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
        settings = {**SETTINGS, "port": str(self.state.db_port)}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        part = Part(
            name="postgres",
            command=[str(self.server / "bin" / "postgres"), "-D", str(self.data), *options],
            log=self.state.log("postgres"),
            lock=lock,
            folder=self.folder,
            account=self.account,
            stop_signal=signal.SIGINT,
            grace=20.0,
        )
        return await part.begin(self.answers, START_SECONDS)

    def forget_leftover(self) -> None:
        """Delete the pid file of a killed server, whose id may be in use again.

        Only for who has just taken the parts' lock: no process of that server holds it any more.
        """
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def answers(self) -> bool:
        """Say whether the server takes connections."""
        try:
            connection = await psycopg.AsyncConnection.connect(
                self.state.admin_db_url, connect_timeout=5
            )
        except psycopg.OperationalError:
            return False
        await connection.close()
        return True

    async def install_platform(self) -> None:
        """Run platform.sql and set the passwords of this stack."""
        async with await psycopg.AsyncConnection.connect(self.state.admin_db_url) as connection:
            await connection.execute(PLATFORM.read_text())
            await connection.execute(
                sql.SQL("alter role postgres password {}").format(sql.Literal(self.state.password))
            )

    def finish(self) -> None:
        """Remember that the cluster is complete, and whose it is."""
        self.marker.write_text(json.dumps({"stack": self.state.id, "platform": platform_digest()}))

    def remove(self) -> None:
        """Delete the cluster."""
        if self.folder.exists():
            shutil.rmtree(self.folder)


def platform_digest() -> str:
    """Return what tells one platform.sql from another."""
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
    """Say whether the process that a cluster names as its server exists."""
    try:
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), 0)
    except (OSError, ValueError, IndexError):
        return False
    return True
