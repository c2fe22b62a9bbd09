"""Fills a database with people and talk; the same as 'parley seed'."""

from __future__ import annotations

import sys

import typer

from parley.cli.seed import seed
from parley.cli.terminal import guard_terminal, tell
from parley.errors import ParleyError

if __name__ == "__main__":
    guard_terminal()
    try:
        typer.run(seed)
    except ParleyError as error:
        tell(f"{error.detail}\n{error.hint}")
        sys.exit(1)
