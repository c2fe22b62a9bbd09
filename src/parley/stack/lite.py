"""REST, Auth and Storage: the npm package @supabase/lite on our Postgres.

Its configuration is generated into the state folder from the project's own ``config.toml``, and
holds only keys that lite knows: it prints the whole file, passwords included, when it refuses one.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from psycopg import sql

from parley.errors import NodeMissing
from parley.stack.binaries import node_modules, read_manifest
from parley.stack.part import Part, Process
from parley.stack.port import HOST
from parley.stack.project import Project
from parley.stack.state import State, write_private

START_SECONDS = 60.0
OLDEST_NODE = 20
HANDOVER = Path(__file__).with_name("lite.sql")
PRELOADED = Path(__file__).with_name("lite.mjs")

# What is taken over from the project's config.toml, by section.
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


class Lite:
    """The lite server of one stack; ``port`` is where it listens, for the front door only."""

    def __init__(self, state: State, project: Project, port: int) -> None:
        self.state = state
        self.project = project
        self.port = port
        self.node = find_node()
        self.package = node_modules() / "@supabase" / "lite"
        self.folder = state.home / "lite"

    @property
    def version(self) -> str:
        """The version of the package."""
        return str(read_manifest(self.package)["version"])

    async def begin(self, lock: int) -> Process:
        """Start the server as ``lite_rest`` and warm it up. Raises PartFailed."""
        self.write_config(self.state.rest_db_url)
        return await self.part(lock).begin(self.is_warm, START_SECONDS)

    async def make_schemas(self, lock: int) -> None:
        """Let lite make ``auth``, ``storage`` and ``supabase_migrations``, and hand them on.

        It runs as the superuser meanwhile, and gets no request: at the first one it would grant
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
            name="lite",
            command=[
                *(self.node, "--import", PRELOADED.as_uri(), str(program)),
                *("start", "--no-admin", "--config", "supabase/config.toml"),
            ],
            log=self.state.log("lite"),
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
        config["auth"] |= {
            "enabled": True,
            "site_url": self.state.api_url,
            "jwt_secret": self.state.jwt_secret,
            "publishable_key": self.state.publishable_key,
            "secret_key": self.state.secret_key,
        }
        config["storage"]["enabled"] = True
        write_private(self.folder / "supabase" / "config.toml", to_toml(config))

    async def listens(self) -> bool:
        """Say whether the server takes connections."""
        try:
            _, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def is_warm(self) -> bool:
        """Say whether the server answers for a table; the first such request is the slow one.

        It makes lite read the schema and repeat its grants, which two requests at once cannot do.
        """
        try:
            schema, table = await self.some_table()
        except psycopg.OperationalError:
            # Postgres went down as well, and is on its way back.
            return False
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

    async def some_table(self) -> tuple[str, str]:
        """Return schema and name of an exposed table; no name when there is none."""
        schemas = self.project.section("api").get("schemas", ["public"])
        async with await psycopg.AsyncConnection.connect(self.state.db_url) as connection:
            rows = await connection.execute(
                "select schemaname, tablename from pg_tables where schemaname = any (%s) limit 1",
                (schemas,),
            )
            return await rows.fetchone() or ("public", "")


def to_toml(config: dict[str, dict[str, Any]]) -> str:
    """Write sections of plain values as TOML; JSON strings, numbers and lists are TOML too."""
    lines: list[str] = []
    for name, section in config.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in section.items()]
        lines.append("")
    return "\n".join(lines)
