"""The checks of ``parley doctor`` on this machine and on the local stack."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from parley.errors import ParleyError
from parley.finding import Finding
from parley.node import find_node, node_modules
from parley.project import Project
from parley.resources import shared_folder
from parley.stack.account import Account, cluster_folder
from parley.stack.assembly import API_PORT, DB_PORT
from parley.stack.binaries import install_server
from parley.stack.port import choose_port
from parley.stack.postgres import check_room, check_version
from parley.stack.state import State, write_private
from parley.stack.status import read_status

MANY_REFUSALS = 100
"""As many a day by one person are no mistakes any more."""
REFUSED = re.compile(
    r"(?P<at>\S+ \S+) UTC \[.*LOG:  parley refused \w+ to (?P<person>[0-9a-f-]{36}|nobody) \("
)
"""What chat_private.log_refusal writes, after the prefix that the local stack has."""


async def examine(home: Path) -> list[Finding]:
    """Check the machine and the stack of a state folder."""
    findings = [look(name, check) for name, check in machine_checks(home)]
    state_finding = look("state", lambda: describe_state(home))
    findings.append(state_finding)
    state = State.load(home) if state_finding.good else None
    status = await read_status(home) if state else None
    if status is None or not status.running:
        return findings + [look(name, check) for name, check in port_checks(state)]
    for name, part in status.parts.items():
        times = "once" if part.restarts == 1 else f"{part.restarts} times"
        words = f"It is {part.health}, its version is {part.version}, and it was restarted {times}."
        remedy = f"Read {part.log}, then stop the stack with 'parley down' and start it again."
        findings.append(Finding(name, part.health == "ready", words, remedy))
    return [*findings, describe_refusals(home / "logs" / "postgres.log", datetime.now(UTC))]


def describe_refusals(log: Path, now: datetime) -> Finding:
    """Count the calls of the last day that needed a right the caller has not, by person."""
    since = f"{now - timedelta(days=1):%Y-%m-%d %H:%M:%S}"
    people = Counter(
        found["person"]
        for line in log.read_text(errors="replace").splitlines()
        if (found := REFUSED.match(line)) and found["at"] >= since
    )
    if not people:
        return Finding("refusals", True, "Nobody tried what they have no right to within a day.")
    (person, most), total = people.most_common(1)[0], people.total()
    detail = (
        f"Within a day {total} calls needed a right that the caller has not, "
        f"{most} of them by {person}."
    )
    return Finding("refusals", most < MANY_REFUSALS, detail, f"Look for 'parley refused' in {log}.")


def machine_checks(home: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield the checks that must pass on this machine before a stack can start."""
    yield "python", lambda: f"This is Python {sys.version.split()[0]} in {sys.prefix}."
    yield "node", lambda: f"Node is {find_node()}."
    yield "npm packages", lambda: f"The npm packages are in {node_modules()}."
    yield "postgres binaries", lambda: f"Postgres is in {install_server()}."
    yield "postgres account", describe_account
    yield "postgres data", lambda: describe_data(home)
    yield "disk", describe_room
    yield "project", describe_project


def port_checks(state: State | None) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield the checks whether the ports are free, for when no stack runs."""
    api_port = state.api_port if state else API_PORT
    db_port = state.db_port if state else DB_PORT
    yield "front door", lambda: f"Port {choose_port(api_port, 'the front door', '--port')} is free."
    yield "database", lambda: f"Port {choose_port(db_port, 'Postgres', '--db-port')} is free."


def look(name: str, check: Callable[[], str]) -> Finding:
    """Run one check."""
    try:
        return Finding(name, True, check())
    except ParleyError as error:
        return Finding(name, False, error.detail, error.hint)


def describe_account() -> str:
    """Return the account that Postgres runs under. Raises StateUnusable."""
    account = Account.current()
    if account.is_other:
        return f"Postgres runs as the user {account.uid}, because it refuses to run as root."
    return "Postgres runs as you."


def describe_data(home: Path) -> str:
    """Return the folder of the cluster. Raises OtherMajorVersion."""
    folder = cluster_folder(home)
    check_version(folder / "data")
    return f"The database is kept in {folder}."


def describe_project() -> str:
    """Return the folder of the project. Raises StateUnusable, also for a broken config.toml."""
    project = Project.find()
    project.section("api")
    return f"The project is {project.folder}."


def describe_room() -> str:
    """Return how much disk space is free for a database. Raises DiskFull."""
    return f"{check_room(shared_folder()) // 1024**2} MB of disk space are free."


def describe_state(home: Path) -> str:
    """Try to write into the state folder. Raises StateUnusable, DiskFull."""
    if not home.exists():
        return f"The state folder {home} does not exist yet; 'parley up' creates it."
    probe = home / "probe"
    write_private(probe, "")
    probe.unlink()
    return f"The state folder {home} {'holds a stack' if State.load(home) else 'is empty'}."
