"""The status of a stack: its URLs and keys, and the health of its parts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from parley.errors import NotRunning
from parley.stack.lock import is_supervised
from parley.stack.state import State

PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class PartStatus:
    """One part: ``health`` is ready, restarting, unreachable, starting or stopped."""

    health: str
    version: str
    pid: int | None = None
    restarts: int = 0
    log: str = ""


@dataclass(frozen=True)
class Status:
    """URLs and keys of a stack, and its parts by name. ``db_url`` is not that of a superuser.

    ``read_url`` and ``replica_db_url`` are empty without a read replica. ``realtime`` is the
    profile of our Realtime, empty where another one serves.
    """

    running: bool
    ready: bool
    data: str
    api_url: str
    db_url: str
    admin_db_url: str
    publishable_key: str
    secret_key: str
    jwt_secret: str
    realtime: str = ""
    read_url: str = ""
    replica_db_url: str = ""
    parts: dict[str, PartStatus] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return all of it as an indented JSON object."""
        return json.dumps(asdict(self), indent=2)


def status_of(state: State, *, running: bool, ready: bool, parts: dict[str, PartStatus]) -> Status:
    """Describe a stack from its state."""
    return Status(
        running=running,
        ready=ready,
        data=str(state.home),
        api_url=state.api_url,
        db_url=state.db_url,
        admin_db_url=state.admin_db_url,
        publishable_key=state.publishable_key,
        secret_key=state.secret_key,
        jwt_secret=state.jwt_secret,
        realtime=state.realtime,
        read_url=state.read_url if "replica" in parts else "",
        replica_db_url=state.replica_db_url if "replica" in parts else "",
        parts=parts,
    )


async def read_status(home: Path) -> Status:
    """Describe the stack of a state folder, asking its front door. Raises NotRunning."""
    state = State.load(home)
    if state is None:
        raise NotRunning(f"There is no stack in {home}.", "Start one with 'parley up'.")
    record = read_record(state)
    running = is_supervised(home)
    answers = await ask_health(state) if running else {}
    parts = {}
    for name, values in record.get("parts", {}).items():
        part = PartStatus(**values)
        health = answers.get(name, "unreachable") if running else "stopped"
        if running and part.health != "ready":
            health = part.health
        parts[name] = PartStatus(**{**asdict(part), "health": health})
    ready = (
        running
        and bool(record.get("ready"))
        and all(part.health == "ready" for part in parts.values())
    )
    return status_of(state, running=running, ready=ready, parts=parts)


def read_record(state: State) -> dict[str, Any]:
    """Return the last record of the supervisor, empty when there is none."""
    try:
        return dict(json.loads(state.running_file.read_text()))
    except (OSError, ValueError):
        return {}


async def ask_health(state: State) -> dict[str, str]:
    """Return the health of each part as the front door sees it, empty when it is away."""
    import aiohttp  # noqa: PLC0415 - it takes half a second, and most commands ask nobody.

    timeout = aiohttp.ClientTimeout(total=PROBE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{state.api_url}/health") as answer,
        ):
            return dict((await answer.json())["parts"])
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
        return {}
