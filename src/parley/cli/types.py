"""The command that generates types."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.local_database import local_url
from parley.cli.options import AsJson, Data, DbUrl
from parley.cli.terminal import put, tell
from parley.codegen.catalog import Catalog, read_catalog
from parley.codegen.files import check as check_files
from parley.codegen.files import write
from parley.codegen.hints import Hints
from parley.codegen.output import python_files, reference_files, skipped
from parley.codegen.typescript import write_database, write_typescript
from parley.codegen.vocabulary import Vocabulary
from parley.inspection.advisors import without_password
from parley.node import supabase_cli
from parley.stack.state import find_home


@dataclass(frozen=True)
class Generated:
    """All generated files, those that were written anew, and sentences about skipped functions."""

    files: list[str]
    written: list[str]
    skipped: list[str]


def types(
    *,
    db_url: DbUrl = None,
    schema: Annotated[
        list[str] | None,
        typer.Option(
            help="Schema to read, also one of your own; chat when left out. May be repeated."
        ),
    ] = None,
    role: Annotated[
        str,
        typer.Option(help="Role whose rights decide which columns may be read and written."),
    ] = "authenticated",
    hints: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with facts that a database does not hold: which results are never null."
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option(help="Folder in which models.py and api.py are written.")
    ] = Path(),
    docs: Annotated[
        Path | None,
        typer.Option(help="Folder in which api.md and errors.md are written; none when left out."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing; print a diff and exit 1 when a file is out of date."
        ),
    ] = False,
    lang: Annotated[
        str,
        typer.Option(help="python writes files; typescript prints one for supabase-js to stdout."),
    ] = "python",
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Generate typed clients from the schema of a database.

    It reads the tables and functions of the schema chat, or of the schemas named with --schema.
    """
    url = db_url or local_url(find_home(data))
    schemas = tuple(schema or ["chat"])
    if lang == "typescript":
        raise typer.Exit(print_typescript(url, schemas, role, hints))
    if lang != "python":
        raise typer.BadParameter("choose python or typescript", param_hint="--lang")
    generated = generate(
        url, schemas, role=role, hints_file=hints, output=output, docs=docs, only_check=check
    )
    if as_json:
        put(json.dumps(asdict(generated)))
    else:
        for sentence in generated.skipped:
            tell(sentence)
        for path in generated.written:
            tell(f"Wrote {path}.")


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
    catalog, hints = read(url, schemas, role, hints_file)
    files = python_files(catalog, hints, output)
    if docs is not None:
        files |= reference_files(catalog, hints, docs)
    if only_check:
        check_files(files)
    written = [] if only_check else [str(path) for path in write(files)]
    return Generated([str(path) for path in files], written, skipped(catalog))


def read(
    url: str, schemas: tuple[str, ...], role: str, hints_file: Path | None
) -> tuple[Catalog, Hints]:
    """Read what types are made of. Raises CatalogUnreadable."""
    catalog = read_catalog(url, schemas, role)
    hints = Hints.load(hints_file) if hints_file else Hints()
    hints.check(catalog)
    return catalog, hints


def print_typescript(url: str, schemas: tuple[str, ...], role: str, hints_file: Path | None) -> int:
    """Print the Supabase CLI's types and those of the functions; return the CLI's exit code.

    Raises CatalogUnreadable.
    """
    vocabulary = Vocabulary(*read(url, schemas, role, hints_file))
    remote, password = without_password(url)
    command = [
        *supabase_cli(),
        *("gen", "types", "--lang", "typescript", f"--remote={remote}"),
        *(word for schema in schemas for word in ("--schema", schema)),
    ]
    environment = {**os.environ, "PGPASSWORD": password}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode == 0:
        put("\n".join([done.stdout, write_typescript(vocabulary), write_database(vocabulary)]))
        for sentence in skipped(vocabulary.catalog):
            tell(sentence)
    if done.stderr:
        tell(done.stderr.removesuffix("\n"))
    return done.returncode
