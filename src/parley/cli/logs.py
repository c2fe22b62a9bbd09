"""``parley logs``: prints what the parts of the stack have logged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.options import Data
from parley.cli.terminal import put
from parley.errors import NotRunning
from parley.stack.state import find_home

FOLLOW_SECONDS = 0.2


def logs(
    part: Annotated[
        str | None,
        typer.Argument(
            help="One of postgres, lite, gateway, functions and supervisor; all when left out."
        ),
    ] = None,
    *,
    data: Data = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new lines until Ctrl-C.")
    ] = False,
    lines: Annotated[
        int, typer.Option(min=1, help="How many lines to print from the end of each log.")
    ] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each line as a JSON object with part and line.")
    ] = False,
) -> None:
    """Print the last lines of the stack's logs."""
    folder = find_home(data) / "logs"
    paths = sorted(folder.glob(f"{part or '*'}.log"))
    if not paths:
        raise NotRunning(
            f"There are no logs of {part or 'a stack'} in {folder}.",
            "Start the stack with 'parley up --detach', or name its folder with --data.",
        )
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


def print_line(_: str, line: str) -> None:
    """Print a line as it is, where only one log is shown."""
    put(line)


def print_named_line(part: str, line: str) -> None:
    """Print a line after the name of the part that wrote it."""
    put(f"{part}: {line}")


def print_json_line(part: str, line: str) -> None:
    """Print a line and its part as a JSON object."""
    put(json.dumps({"part": part, "line": line}))
