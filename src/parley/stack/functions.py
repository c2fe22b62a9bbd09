"""Edge Functions: what is under ``supabase/functions``, served by the real Deno.

``functions.ts`` beside this file routes requests and starts a Deno process per function. The
environment of a function is that of a hosted project.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from dotenv import dotenv_values

from parley.errors import PackagesMissing
from parley.node import INSTALL, node_modules, read_manifest
from parley.project import Project
from parley.stack.part import Part, Process
from parley.stack.port import listens
from parley.stack.state import State, write_private

START_SECONDS = 60.0
ROUTER = Path(__file__).with_name("functions.ts")
RESERVED = "SUPABASE_"
"""Prefixes of variables that a project cannot set itself, as on a hosted one."""


def find_deno() -> Path:
    """Return the path of Deno. Raises PackagesMissing."""
    for path in (node_modules() / "@deno").glob("*/deno"):
        return path
    raise PackagesMissing("Deno is not installed, and Edge Functions need it.", INSTALL)


class Functions:
    """The functions of one stack; ``port`` is where they listen, for the front door only."""

    def __init__(self, state: State, project: Project, port: int) -> None:
        self.state = state
        self.project = project
        self.port = port
        self.folder = project.folder / "functions"

    @property
    def version(self) -> str:
        """The version of Deno."""
        return str(read_manifest(node_modules() / "deno")["version"])

    async def begin(self, lock: int) -> Process:
        """Start the router and wait until it listens. Raises PartFailed, PackagesMissing."""
        settings = self.state.home / "functions.json"
        write_private(settings, json.dumps(self.settings()))
        part = Part(
            name="functions",
            command=[
                *(
                    str(find_deno()),
                    "run",
                    "--allow-all",
                    "--no-prompt",
                    "--no-config",
                    "--no-lock",
                ),
                *(str(ROUTER), str(settings)),
            ],
            log=self.state.log("functions"),
            lock=lock,
            # Certificates of this machine count too, as they do for uv and npm.
            environment={
                "NO_COLOR": "1",
                "DENO_TLS_CA_STORE": os.environ.get("DENO_TLS_CA_STORE", "mozilla,system"),
            },
            grace=3.0,
        )
        return await part.begin(self.listens, START_SECONDS)

    def settings(self) -> dict[str, object]:
        """Return the settings that the router is started with."""
        return {
            "folder": str(self.folder),
            "port": self.port,
            "jwtSecret": self.state.jwt_secret,
            "environment": self.environment(),
            "functions": self.project.section("functions"),
        }

    def environment(self) -> dict[str, str]:
        """The variables of every function: those of a hosted project, and the project's own."""
        state = self.state
        own = dotenv_values(self.folder / ".env")
        return {
            **{name: value or "" for name, value in own.items() if not name.startswith(RESERVED)},
            "SUPABASE_URL": state.api_url,
            "SUPABASE_DB_URL": state.db_url,
            "SUPABASE_PUBLISHABLE_KEYS": json.dumps({"default": state.publishable_key}),
            "SUPABASE_SECRET_KEYS": json.dumps({"default": state.secret_key}),
            "SUPABASE_ANON_KEY": state.role_tokens[state.publishable_key],
            "SUPABASE_SERVICE_ROLE_KEY": state.role_tokens[state.secret_key],
            "SUPABASE_JWKS": json.dumps({"keys": []}),
            "SB_REGION": "local",
            "DENO_DEPLOYMENT_ID": "local",
        }

    async def listens(self) -> bool:
        """Say whether the router takes connections."""
        return await listens(self.port)
