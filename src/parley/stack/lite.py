"""REST, Auth and Storage: the npm package @supabase/lite on our Postgres.

Its configuration is generated into the state folder from the project's own ``config.toml``, and
holds only keys that lite knows, because lite prints the whole file, passwords included, when it
refuses one.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from psycopg import sql

from parley.node import find_node, node_modules, read_manifest
from parley.project import Project
from parley.stack.body import bytes_of
from parley.stack.part import POLL_SECONDS, Part, Process
from parley.stack.port import HOST, listens
from parley.stack.state import State, write_private

START_SECONDS = 60.0
SHORTEST_PASSWORD = 6
"""The default of Auth."""
HANDOVER = Path(__file__).with_name("lite.sql")
PRELOADED = Path(__file__).with_name("lite.mjs")

# The keys that are copied from the project's config.toml, by section.
TAKEN_OVER = {
    "api": ("schemas", "max_rows"),
    "auth": ("jwt_expiry", "enable_signup", "minimum_password_length"),
    "auth.email": ("enable_signup", "enable_confirmations"),
    "storage": ("file_size_limit",),
}

ENVIRONMENT = {
    "LITE_TELEMETRY": "0",
    "DO_NOT_TRACK": "1",
    "EXPERIMENTAL_STORAGE": "1",
    "NO_COLOR": "1",
}


class Lite:
    """The lite server of one stack. Only the front door connects to its ``port``.

    That of the read replica serves REST alone, because everything else writes.
    """

    def __init__(
        self, state: State, project: Project, port: int, *, is_of_replica: bool = False
    ) -> None:
        self.state = state
        self.project = project
        self.port = port
        self.node = find_node()
        self.package = node_modules() / "@supabase" / "lite"
        self.is_of_replica = is_of_replica
        self.name = "replica-lite" if is_of_replica else "lite"
        self.folder = state.home / self.name

    @property
    def version(self) -> str:
        """The version of the package."""
        return str(read_manifest(self.package)["version"])

    @property
    def file_bytes(self) -> int:
        """The largest file that may be stored. Raises StateUnusable."""
        return bytes_of(self.project.section("storage").get("file_size_limit", "50MiB"))

    async def begin(self, lock: int) -> Process:
        """Start the server as ``lite_rest`` and warm it up. Raises PartFailed.

        It waits for Postgres first: lite fails when it gets requests without a database.
        """
        state = self.state
        urls = (state.db_url, state.rest_db_url)
        if self.is_of_replica:
            urls = (state.replica_db_url, state.replica_rest_db_url)
        self.write_config(urls[1])
        schema, table = await self.some_table(urls[0])
        return await self.part(lock).begin(lambda: self.is_warm(schema, table), START_SECONDS)

    async def make_schemas(self, lock: int) -> None:
        """Let lite make ``auth``, ``storage`` and ``supabase_migrations``, and hand them on.

        It runs as the superuser meanwhile and must get no request: at its first request lite grants
        everything to everybody.
        """
        self.write_config(self.state.admin_db_url)
        process = await self.part(lock).begin(self.listens, START_SECONDS)
        await process.stop()
        async with await psycopg.AsyncConnection.connect(self.state.admin_db_url) as connection:
            await connection.execute(HANDOVER.read_bytes())
            await connection.execute(
                sql.SQL("alter role lite_rest password {}").format(
                    sql.Literal(self.state.rest_password)
                )
            )

    def part(self, lock: int) -> Part:
        """Return the process, to be started after ``write_config``."""
        program = self.package / "dist" / "cli" / "index.js"
        return Part(
            name=self.name,
            command=[
                *(self.node, "--import", PRELOADED.as_uri(), str(program)),
                *("start", "--no-admin", "--config", "supabase/config.toml"),
            ],
            log=self.state.log(self.name),
            lock=lock,
            environment=ENVIRONMENT,
            folder=self.folder,
            grace=3.0,
        )

    def write_config(self, database_url: str) -> None:
        """Write the configuration for a start with this database URL."""
        config: dict[str, dict[str, Any]] = {}
        for name, keys in TAKEN_OVER.items():
            section = self.project.section(name)
            config[name] = {key: section[key] for key in keys if key in section}
        config["api"]["port"] = self.port
        config["db"] = {"driver": "postgres", "url": database_url}
        # Where migrations are enabled, lite makes a table of them when it starts.
        config["db.migrations"] = {"enabled": not self.is_of_replica}
        config["auth"] |= {
            "enabled": True,
            "site_url": self.state.api_url,
            "jwt_secret": self.state.jwt_secret,
            "publishable_key": self.state.publishable_key,
            "secret_key": self.state.secret_key,
        }
        config["storage"]["enabled"] = not self.is_of_replica
        config["studio"] = {"enabled": False}
        write_private(self.folder / "supabase" / "config.toml", to_toml(config))

    async def listens(self) -> bool:
        """Say whether the server takes connections."""
        return await listens(self.port)

    async def is_warm(self, schema: str, table: str) -> bool:
        """Whether the server answers a request for a table; the first such request is slow.

        That request makes lite read the schema and repeat its grants.
        """
        url = f"http://{HOST}:{self.port}/rest/v1/{table}?limit=0"
        headers = {"apikey": self.state.secret_key, "Accept-Profile": schema}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
                session.get(url, headers=headers) as answer,
            ):
                return answer.status < 500
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def some_table(self, url: str) -> tuple[str, str]:
        """Wait for Postgres; return an exposed schema and table, no table when there is none."""
        schemas = self.project.section("api").get("schemas", ["public"])
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    url, connect_timeout=5
                ) as connection:
                    rows = await connection.execute(
                        "select schemaname, tablename from pg_tables"
                        " where schemaname = any (%s) limit 1",
                        (schemas,),
                    )
                    return await rows.fetchone() or ("public", "")
            except psycopg.OperationalError:
                await asyncio.sleep(POLL_SECONDS)


def shortest_password(state: State) -> int:
    """The least number of characters of a password, as lite was told."""
    path = state.home / "lite" / "supabase" / "config.toml"
    config = tomllib.loads(path.read_text())
    return int(config.get("auth", {}).get("minimum_password_length", SHORTEST_PASSWORD))


def to_toml(config: dict[str, dict[str, Any]]) -> str:
    """Write sections of plain values as TOML; JSON strings, numbers and lists are TOML too."""
    lines: list[str] = []
    for name, section in config.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in section.items()]
        lines.append("")
    return "\n".join(lines)
