"""The command that generates types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from parley.codegen.catalog import read_catalog
from parley.codegen.files import check as check_files
from parley.codegen.files import write
from parley.codegen.hints import Hints
from parley.codegen.output import python_files, reference_files, skipped
from parley.errors import NotRunning
from parley.inspection.advisors import without_password
from parley.stack.binaries import node_modules
from parley.stack.lite import find_node
from parley.stack.lock import is_supervised
from parley.stack.state import State, find_home

words = Console(stderr=True, soft_wrap=True, highlight=False)


@dataclass(frozen=True)
class Generated:
    """The files that there are now, those of them that changed, and what got no method and why."""

    files: list[str]
    written: list[str]
    skipped: list[str]


def types(
    *,
    db_url: Annotated[
        str | None, typer.Option(envvar="DATABASE_URL", help="Database; else the local stack.")
    ] = None,
    schema: Annotated[list[str] | None, typer.Option(help="Schema; repeat it for more.")] = None,
    role: Annotated[
        str, typer.Option(help="Role whose rights decide on Insert and Update forms.")
    ] = "authenticated",
    hints: Annotated[
        Path | None, typer.Option(help="TOML file with what the catalog cannot know.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for models.py and api.py.")] = Path(),
    docs: Annotated[Path | None, typer.Option(help="Folder for api.md and errors.md.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 with a diff when one is stale.")
    ] = False,
    lang: Annotated[str, typer.Option(help="python; or typescript, to stdout.")] = "python",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Annotated[Path | None, typer.Option(help="State folder of the local stack.")] = None,
) -> None:
    """Generate typed clients from the catalog of a database."""
    url = db_url or local_url(find_home(data))
    schemas = tuple(schema or ["chat"])
    if lang == "typescript":
        raise typer.Exit(print_typescript(url, schemas))
    if lang != "python":
        raise typer.BadParameter("python or typescript", param_hint="--lang")
    generated = generate(
        url, schemas, role=role, hints_file=hints, output=output, docs=docs, only_check=check
    )
    if as_json:
        sys.stdout.write(json.dumps(asdict(generated)) + "\n")
    else:
        for sentence in generated.skipped:
            words.print(sentence, markup=False)
        for path in generated.written:
            words.print(f"Wrote {path}.", markup=False)


def generate(
    url: str,
    schemas: tuple[str, ...],
    *,
    role: str = "authenticated",
    hints_file: Path | None = None,
    output: Path,
    docs: Path | None = None,
    only_check: bool = False,
) -> Generated:
    """Write or check the files. Raises CatalogUnreadable, TypesStale."""
    catalog = read_catalog(url, schemas, role)
    hints = Hints.load(hints_file) if hints_file else Hints()
    hints.check(catalog)
    files = python_files(catalog, hints, output)
    if docs is not None:
        files |= reference_files(catalog, hints, docs)
    if only_check:
        check_files(files)
    written = [] if only_check else [str(path) for path in write(files)]
    return Generated([str(path) for path in files], written, skipped(catalog))


def local_url(home: Path) -> str:
    """Return the URL of the running local stack. Raises NotRunning."""
    state = State.load(home)
    if state is None or not is_supervised(home):
        raise NotRunning(
            f"No stack runs from {home}.", "Start one with 'parley up --detach', or give --db-url."
        )
    return state.db_url


def print_typescript(url: str, schemas: tuple[str, ...]) -> int:
    """Let the Supabase CLI print its types and return its exit code."""
    remote, password = without_password(url)
    command = [
        find_node(),
        str(node_modules() / "supabase" / "dist" / "supabase.js"),
        *("gen", "types", "--lang", "typescript", f"--remote={remote}"),
        *(word for schema in schemas for word in ("--schema", schema)),
    ]
    environment = {**os.environ, "PGPASSWORD": password}
    return subprocess.run(command, stdout=sys.stdout, env=environment, check=False).returncode
