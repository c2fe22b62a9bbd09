"""Looks at everything a stack needs and says what is wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from parley.errors import ParleyError
from parley.stack.account import Account, cluster_folder, shared_folder
from parley.stack.assembly import API_PORT, DB_PORT
from parley.stack.binaries import install_server, node_modules
from parley.stack.lite import find_node
from parley.stack.port import choose_port
from parley.stack.postgres import check_room, check_version
from parley.stack.project import Project
from parley.stack.state import State, write_private
from parley.stack.status import read_status


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``hint`` is the remedy when it is not ``good``."""

    name: str
    good: bool
    detail: str
    hint: str = ""


async def examine(home: Path) -> list[Finding]:
    """Look at the machine and at the stack of a state folder."""
    findings = [look(name, check) for name, check in machine_checks(home)]
    state_finding = look("state", lambda: describe_state(home))
    findings.append(state_finding)
    state = State.load(home) if state_finding.good else None
    status = await read_status(home) if state else None
    if status is None or not status.running:
        return findings + [look(name, check) for name, check in port_checks(state)]
    for name, part in status.parts.items():
        words = f"{part.health}, version {part.version}, restarted {part.restarts} times"
        findings.append(Finding(name, part.health == "ready", words, f"Read {part.log}."))
    return findings


def machine_checks(home: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield what has to hold on this machine before a stack can start."""
    yield "python", lambda: f"{sys.version.split()[0]} in {sys.prefix}"
    yield "node", find_node
    yield "npm packages", lambda: str(node_modules())
    yield "postgres binaries", lambda: str(install_server())
    yield "postgres account", describe_account
    yield "postgres data", lambda: describe_data(home)
    yield "disk", describe_room
    yield "project", lambda: str(Project.find().folder)


def port_checks(state: State | None) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield whether the ports are free, while no stack runs."""
    api_port = state.api_port if state else API_PORT
    db_port = state.db_port if state else DB_PORT
    yield "front door", lambda: f"port {choose_port(api_port, 'the front door', '--port')} is free"
    yield "database", lambda: f"port {choose_port(db_port, 'Postgres', '--db-port')} is free"


def look(name: str, check: Callable[[], str]) -> Finding:
    """Run one check."""
    try:
        return Finding(name, True, check())
    except ParleyError as error:
        return Finding(name, False, error.detail, error.hint)


def describe_account() -> str:
    """Name the account that Postgres runs under. Raises StateUnusable."""
    account = Account.current()
    return f"user {account.uid}" if account.is_other else "your own"


def describe_data(home: Path) -> str:
    """Name the folder of the cluster. Raises OtherMajorVersion."""
    folder = cluster_folder(home)
    check_version(folder / "data")
    return str(folder)


def describe_room() -> str:
    """Say how much room there is for a database. Raises DiskFull."""
    return f"{check_room(shared_folder()) // 1024**2} MB free"


def describe_state(home: Path) -> str:
    """Try the state folder. Raises StateUnusable, DiskFull."""
    if not home.exists():
        return f"{home} does not exist yet"
    probe = home / "probe"
    write_private(probe, "")
    probe.unlink()
    return f"{home}, {'used' if State.load(home) else 'unused'}"
