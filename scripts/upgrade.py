"""Releases: checks that an upgrade leads to the chapters, drafts one, and cuts a release."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from parley.cli.terminal import put, tell
from parley.errors import ParleyError
from parley.inspection.promises import SNAPSHOT
from parley.installing.release import (
    RELEASES,
    UPGRADES,
    Release,
    earlier_releases,
    steps,
    this_release,
)
from parley.node import find_node, node_modules
from parley.stack import Stack
from parley.upgrading.functions import functions_text
from parley.versions import __version__

ROOT = Path(__file__).resolve().parent.parent
CHANGELOG = ROOT / "CHANGELOG.md"
PLACES = (
    ("src/parley/versions.py", r'(__version__ = ")[^"]+'),
    ("web/src/versions.ts", r'(VERSION = ")[^"]+'),
    ("web/package.json", r'("version": ")[^"]+'),
    ("package.json", r'("version": ")[^"]+'),
    ("supabase/migrations/20261121000110_version.sql", r'("version": ")[^"]+'),
)
"""Where the version stands; a test holds them together."""
DRAFT = "-- DRAFT:"
BEFORE, AFTER = "parley_before", "parley_after"
HEAD = """\
{mark} written by comparing catalogs. Go through it, then delete these lines.
{mark} A rename is here as a drop and a create, and loses the data: write 'alter … rename'.
{mark} Nothing is here about rows: fill a new column, move what moved.
{mark} Nothing is here about text search configurations.
{mark} Order: drop twins, alter tables and types, private functions, twins, comments, grants.
{mark} One file is one transaction: no begin, no lock table, no concurrently, nothing that reads a
{mark} large table for minutes. At the end: select chat_private.attach();
"""
QUOTED = re.compile(r"(\$\w*\$).*?\1", re.DOTALL)
NOTE = re.compile(r"^\s*--.*\n", re.MULTILINE)
app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__
)


@app.command()
def check() -> None:
    """Tell whether the chapters follow from the last release and its upgrade, by their texts."""
    fault = fault_in_chapters(earlier_releases(), this_release())
    if fault:
        tell(fault)
        raise typer.Exit(1)


@app.command()
def draft(
    version: Annotated[str, typer.Argument(help="The version that the chapters become, as 0.2.0.")],
) -> None:
    """Set the version, and append what is still missing to the upgrade that leads to it."""
    before = last_release()
    set_version(version)
    path = UPGRADES / f"{before.version}_to_{version}.sql"
    written = path.read_text() if path.is_file() else ""
    difference = asyncio.run(compare_from(before, written))
    if not difference:
        tell(f"{path.relative_to(ROOT)} leads to the chapters." if written else "Nothing differs.")
        return
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{written}\n{HEAD.format(mark=DRAFT)}\n{difference}".lstrip("\n"))
    put(str(path.relative_to(ROOT)))


@app.command()
def cut(
    day: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the release; today.")
    ] = None,
) -> None:
    """Make a release of the chapters: its snapshot, and its heading in the changelog.

    Cutting again replaces the snapshot while there is no tag of that version.
    """
    tag = f"v{__version__}"
    if subprocess.run(
        ["git", "tag", "--list", tag], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout:
        tell(f"{tag} is out. Set the next version with: scripts/upgrade.py draft VERSION")
        raise typer.Exit(1)
    (RELEASES / f"{__version__}.sql").unlink(missing_ok=True)
    check()
    subprocess.run([sys.executable, ROOT / "scripts" / "gen_types.py"], check=True)
    RELEASES.mkdir(exist_ok=True)
    (RELEASES / f"{__version__}.sql").write_text(this_release().sql)
    (RELEASES / f"{__version__}.txt").write_text(SNAPSHOT.read_text())
    (RELEASES / f"{__version__}.functions.txt").write_text(functions_text())
    date = f"{day or dt.datetime.now(dt.UTC):%Y-%m-%d}"
    text = CHANGELOG.read_text()
    CHANGELOG.write_text(text.replace(f"## Unreleased: {__version__}", f"## {__version__}, {date}"))
    put(f"Parley {__version__} is cut. Look at it, then:")
    put(f"git add -A && git commit -m 'Release {__version__}' && git tag {tag}")


def last_release() -> Release:
    """Return the newest release of which there is a snapshot, and which is not this version."""
    found = [each for each in earlier_releases() if each.version != __version__]
    found = found or earlier_releases()
    if not found:
        tell("There is no release yet: scripts/upgrade.py cut")
        raise typer.Exit(1)
    return found[-1]


def fault_in_chapters(releases: list[Release], now: Release) -> str | None:
    """Tell what is missing between the last release and the chapters; None when nothing is."""
    if not releases:
        return None
    last = releases[-1]
    changed = changed_chapters(last, now)
    way = [each for each in steps() if (each.before, each.after) == (last.version, now.version)]
    if any(DRAFT in each.text for each in steps()):
        return "An upgrade in supabase/upgrades is a draft: go through it and delete those lines."
    if not changed or way:
        return None
    return (
        f"Parley {last.version} is out, and these chapters changed since: {', '.join(changed)}. "
        f"A chapter changes only together with supabase/upgrades/{last.version}_to_<next>.sql; "
        "begin it with: scripts/upgrade.py draft <next>"
    )


def changed_chapters(before: Release, after: Release) -> list[str]:
    """Return the names of chapters whose SQL differs; what only maintainers read does not count."""
    old, new = ({c.name: without_notes(c.text) for c in each.chapters} for each in (before, after))
    return sorted(name for name in old.keys() | new if old.get(name) != new.get(name))


def without_notes(text: str) -> str:
    """Return SQL without its comment lines. In the body of a function they are part of it."""
    parts, at = [], 0
    for body in QUOTED.finditer(text):
        parts += [NOTE.sub("", text[at : body.start()]), body[0]]
        at = body.end()
    return "".join([*parts, NOTE.sub("", text[at:])]).strip()


def set_version(version: str) -> None:
    """Write a version wherever it stands, and begin its part of the changelog."""
    for name, pattern in PLACES:
        path = ROOT / name
        path.write_text(re.sub(pattern, rf"\g<1>{version}", path.read_text(), count=1))
    lock = ROOT / "package-lock.json"
    packages = json.loads(lock.read_text())
    for each in (packages, packages["packages"][""], packages["packages"]["web"]):
        each["version"] = version
    lock.write_text(json.dumps(packages, indent=2, ensure_ascii=False) + "\n")
    text = CHANGELOG.read_text()
    if f"Unreleased: {version}" not in text:
        CHANGELOG.write_text(text.replace("\n## ", f"\n## Unreleased: {version}\n\n## ", 1))


async def compare_from(before: Release, upgrade: str) -> str:
    """Return what leads from a release and an upgrade to the chapters, on a stack of its own."""

    async def copy(stack: Stack) -> None:
        """Copy the database of the chapters before services add to it, or connect."""
        with psycopg.connect(stack.status.db_url, dbname="template1", autocommit=True) as found:
            for name in (BEFORE, AFTER):
                found.execute(f"create database {name} template postgres")

    with tempfile.TemporaryDirectory(prefix="parley-upgrade-") as folder:
        stack = Stack(Path(folder), port=0, db_port=0, project=ROOT)
        try:
            url = (await stack.up(before_services=copy)).db_url
            old, new = (make_conninfo(url, dbname=name) for name in (BEFORE, AFTER))
            make(old, before.sql, upgrade)
            return await asyncio.to_thread(compare, old, new)
        finally:
            await stack.down()


def make(url: str, *texts: str) -> None:
    """Apply SQL instead of the Parley that is in a database, each text in one transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop schema chat, chat_private cascade")
        for text in filter(None, texts):
            with connection.transaction():
                connection.execute("set local search_path = public, extensions")
                connection.execute(text.encode())


def compare(before: str, after: str) -> str:
    """Return the SQL that pg-delta finds between two databases; empty when they are the same."""
    tool = [
        find_node(),
        str(node_modules() / "@supabase" / "pg-delta" / "dist" / "cli" / "main.js"),
    ]
    with tempfile.TemporaryDirectory(prefix="parley-delta-") as folder:
        plan, sql = Path(folder, "plan.json"), Path(folder, "plan.sql")
        options = ("--profile", "supabase", "--renames", "off", "--out", str(plan))
        run([*tool, "plan", "--source", as_uri(before), "--desired", as_uri(after), *options])
        said = run([*tool, "render", "--plan", str(plan), "--out", str(sql), "--allow-drops"])
        if not json.loads(said.splitlines()[-1])["changes"]:
            return ""
        return "\n".join(path.read_text() for path in sorted(Path(folder).glob("plan*.sql")))


def as_uri(url: str) -> str:
    """Return connection parameters in the form that programs in JavaScript read."""
    parts = {key: quote(str(value)) for key, value in conninfo_to_dict(url).items()}
    address = f"{parts['host']}:{parts['port']}/{parts['dbname']}"
    return f"postgresql://{parts['user']}:{parts['password']}@{address}"


def run(command: list[str]) -> str:
    """Run a program and return what it prints. Exits with its complaint when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tell(done.stderr.strip())
        raise typer.Exit(1)
    return done.stdout


if __name__ == "__main__":
    try:
        app()
    except ParleyError as error:
        tell(f"{error.detail}\n{error.hint}")
        raise SystemExit(1) from error
