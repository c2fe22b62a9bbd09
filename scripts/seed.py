"""Fills a database with people and talk; the same as 'parley seed'."""

from __future__ import annotations

import sys

import typer

from parley.cli.seed import seed
from parley.errors import ParleyError

if __name__ == "__main__":
    try:
        typer.run(seed)
    except ParleyError as error:
        sys.stderr.write(f"{error.detail}\n{error.hint}\n")
        sys.exit(1)
