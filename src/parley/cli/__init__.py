"""The command line of Parley.

Data goes to stdout and sentences to stderr; an expected failure exits 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from parley import __version__
from parley.cli.terminal import guard_terminal, put, tell
from parley.errors import ParleyError

COMMANDS = {
    "init": "init.init",
    "up": "local.up",
    "down": "local.down",
    "status": "local.status",
    "env": "local.env",
    "reset": "local.reset",
    "logs": "logs.logs",
    "doctor": "doctor.doctor",
    "upgrade": "upgrade.upgrade",
    "uninstall": "uninstall.uninstall",
    "audit": "audit.audit",
    "seed": "seed.seed",
    "types": "types.types",
    "rooms": "rooms.rooms",
    "people": "people.people",
    "tail": "tail.tail",
    "send": "send.send",
    "verify": "verify.verify",
    "open": "people.open_",
    "import": "import_.import_",
}
"""The module and the function of each command."""


class Commands(Mapping[str, Any]):
    """The commands by name. Each is imported when it is asked for: all together take seconds."""

    def __getitem__(self, name: str) -> Any:
        module, function = COMMANDS[name].split(".")
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name)(getattr(import_module(f"parley.cli.{module}"), function))
        return typer.main.get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Group(TyperGroup):
    """The command ``parley``."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()  # type: ignore[assignment]


app = typer.Typer(
    name="parley",
    cls=Group,
    help="Parley: a chat backend that lives in Postgres.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def print_version(is_wanted: bool) -> None:
    """Print the version of the package, and nothing else."""
    if is_wanted:
        put(f"parley {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Parley: a chat backend that lives in Postgres."""


def main() -> None:
    """Run the command line. An expected failure prints its detail, then its hint."""
    guard_terminal()
    try:
        app()
    except ParleyError as error:
        tell(f"{error.detail}\n{error.hint}")
        sys.exit(1)
