"""``parley logs``: what the parts of the stack say."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.local import Data
from parley.errors import NotRunning
from parley.stack.state import find_home

FOLLOW_SECONDS = 0.2


def logs(
    part: Annotated[
        str | None, typer.Argument(help="postgres, lite, gateway or supervisor; else all.")
    ] = None,
    *,
    data: Data = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option(help="How many lines of each log.")] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object with part and line per line.")
    ] = False,
) -> None:
    """Print the ends of the logs."""
    folder = find_home(data) / "logs"
    paths = sorted(folder.glob(f"{part or '*'}.log"))
    if not paths:
        raise NotRunning(f"There are no logs of {part or 'a stack'} in {folder}.", "Is it started?")
    offsets: dict[Path, int] = {}
    prints = print_json_line if as_json else print_named_line if len(paths) > 1 else print_line
    for path in paths:
        content = path.read_bytes()
        offsets[path] = len(content)
        show_lines(path, content.decode(errors="replace").splitlines()[-lines:], prints)
    while follow:
        time.sleep(FOLLOW_SECONDS)
        for path in paths:
            with path.open("rb") as file:
                file.seek(offsets[path])
                content = file.read()
            end = content.rfind(b"\n") + 1
            offsets[path] += end
            show_lines(path, content[:end].decode(errors="replace").splitlines(), prints)


def show_lines(path: Path, lines: list[str], prints: Callable[[str, str], None]) -> None:
    """Print lines of a log."""
    for line in lines:
        prints(path.stem, line)
    sys.stdout.flush()


def print_line(_: str, line: str) -> None:
    """Print a line of the only log."""
    sys.stdout.write(f"{line}\n")


def print_named_line(part: str, line: str) -> None:
    """Print a line with the part that wrote it."""
    sys.stdout.write(f"{part}: {line}\n")


def print_json_line(part: str, line: str) -> None:
    """Print a line as an object."""
    sys.stdout.write(json.dumps({"part": part, "line": line}) + "\n")
