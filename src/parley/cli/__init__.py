"""The command line of Parley: data to stdout, words to stderr, exit 1 for an expected failure."""

from __future__ import annotations

import sys

import typer

from parley.cli.doctor import doctor
from parley.cli.import_ import import_
from parley.cli.local import commands as local_commands
from parley.cli.logs import logs
from parley.cli.seed import seed
from parley.cli.send import send
from parley.cli.tail import tail
from parley.cli.types import types
from parley.cli.verify import verify
from parley.errors import ParleyError

app = typer.Typer(
    name="parley",
    help="Parley: a chat backend that lives in Postgres.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (*local_commands, logs, doctor, seed, types, tail, send, verify):
    app.command()(command)
app.command("import")(import_)


def main() -> None:
    """Run the command line. An expected failure prints its detail, then its hint."""
    try:
        app()
    except ParleyError as error:
        sys.stderr.write(f"{error.detail}\n{error.hint}\n")
        sys.exit(1)
