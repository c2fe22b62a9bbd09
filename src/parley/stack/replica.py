"""A read replica of the stack's Postgres: a streaming standby from the same binaries.

Every start begins with a fresh copy of the files of the primary, so a replica that was promoted,
or that is so far behind that the primary has no WAL for it any more, is a replica again after it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from parley.errors import PartFailed
from parley.stack.part import Process
from parley.stack.postgres import START_SECONDS, Postgres, answers

OF_THE_PRIMARY = {"postmaster.pid", "postmaster.opts"}
EMPTIED = {
    *("pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots"),
    *("pg_stat_tmp", "pg_subtrans", "pg_wal"),
}
"""Folders that a standby fills itself. Copied slots would hold back WAL that nobody reads."""


class Replica:
    """The standby of one stack."""

    def __init__(self, primary: Postgres) -> None:
        self.primary = primary
        self.state = primary.state
        self.data = primary.folder / "replica"

    async def begin(self, lock: int) -> Process:
        """Copy the primary, start the standby and wait until it answers. Raises PartFailed."""
        part = self.primary.part("replica", self.data, self.state.replica_db_port, lock)
        try:
            async with await psycopg.AsyncConnection.connect(
                self.state.admin_db_url, autocommit=True
            ) as connection:
                # It keeps the WAL from here on, and ends with this session.
                await connection.execute(
                    "select pg_create_physical_replication_slot("
                    "'replica_' || pg_backend_pid(), true, true)"
                )
                await connection.execute("select pg_backup_start('replica', true)")
                await asyncio.to_thread(self.copy)
                stopped = await connection.execute("select labelfile from pg_backup_stop(false)")
                row = await stopped.fetchone()
                self.make_standby("" if row is None else row[0])
                return await part.begin(
                    lambda: answers(self.state.replica_admin_db_url), START_SECONDS
                )
        except psycopg.OperationalError as error:
            raise PartFailed(
                f"The primary could not be copied: {error}.", "Run 'parley doctor'."
            ) from error

    def copy(self) -> None:
        """Copy the files of the primary while it runs; its WAL repairs what is torn."""
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(
            self.primary.data, self.data, ignore=self._left_out, copy_function=copy_if_there
        )
        for path in (self.data, *self.data.rglob("*")):
            self.primary.account.own(path)
        self.data.chmod(0o700)

    def make_standby(self, label: str) -> None:
        """Say where the copy begins, and from where it goes on."""
        primary = conninfo_to_dict(self.state.admin_db_url)
        wanted = ("host", "port", "user", "password")
        conninfo = make_conninfo(**{key: str(primary[key]) for key in wanted})
        settings = self.data / "postgresql.auto.conf"
        # In the file and not on the command line, where everybody on the machine reads it.
        with settings.open("a") as file:
            file.write(f"primary_conninfo = '{conninfo}'\n")
        (self.data / "backup_label").write_text(label)
        (self.data / "standby.signal").touch()
        for name in ("backup_label", "standby.signal"):
            self.primary.account.own(self.data / name)

    def _left_out(self, folder: str, names: list[str]) -> set[str]:
        relative = os.path.relpath(folder, self.primary.data)
        if relative in EMPTIED:
            return set(names)
        return OF_THE_PRIMARY & set(names) if relative == "." else set()


def copy_if_there(source: str, target: str) -> None:
    """Copy a file unless it has just been deleted."""
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        return
    Path(target).chmod(0o600)
