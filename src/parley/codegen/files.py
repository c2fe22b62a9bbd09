"""Generated files: formatted by ruff, compared with the files on disk, and written together."""

from __future__ import annotations

import difflib
import importlib.util
import subprocess
import sys
from pathlib import Path

from parley.errors import CatalogUnreadable, TypesStale

COMMAND = (sys.executable, "-m", "ruff")
OPTIONS = ("--isolated", "--quiet", "--line-length", "100", "--target-version", "py311")

PARTIES = (
    *("--config", "lint.isort.known-first-party=['parley']"),
    *("--config", "lint.isort.known-third-party=['supabase']"),
)
"""The order of imports, which must not depend on the folder this runs in."""


def formatted(source: str) -> str:
    """Return Python source without unused imports, sorted and formatted.

    Raises CatalogUnreadable when ruff is not installed.
    """
    if importlib.util.find_spec("ruff") is None:
        raise CatalogUnreadable(
            "Generated code is formatted with ruff, and ruff is not installed.",
            "Install it beside Parley: pip install 'parley-chat[types]'.",
        )
    fixed = run("check", "--fix-only", "--select", "F401,I", *PARTIES, source=source)
    return run("format", source=fixed)


def run(*words: str, source: str) -> str:
    """Run ruff over some source, in a folder of its own so that it finds no packages."""
    done = subprocess.run(
        [*COMMAND, words[0], *OPTIONS, *words[1:], "--stdin-filename", "generated.py", "-"],
        input=source,
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return done.stdout


def write(files: dict[Path, str]) -> list[Path]:
    """Write the files that differ from those on disk, and return their paths."""
    changed = [path for path, text in files.items() if read(path) != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path])
    return changed


def check(files: dict[Path, str]) -> None:
    """Raise TypesStale, with the difference as its detail, when a file is not as generated."""
    differences = [difference(path, text) for path, text in files.items() if read(path) != text]
    if differences:
        raise TypesStale("".join(differences).rstrip("\n"), "Generate them again and commit them.")


def difference(path: Path, wanted: str) -> str:
    """Return a unified diff from the file as it is to the file as it should be."""
    lines = difflib.unified_diff(
        read(path).splitlines(keepends=True),
        wanted.splitlines(keepends=True),
        fromfile=f"{path} (as it is)",
        tofile=f"{path} (as the database has it)",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def read(path: Path) -> str:
    """Return the text of a file, empty when there is none."""
    return path.read_text() if path.exists() else ""


def module_name(folder: Path, stem: str) -> str:
    """Return how a module in this folder is imported, as the packages around it say."""
    words = [stem]
    here = folder.resolve()
    while (here / "__init__.py").exists():
        words.insert(0, here.name)
        here = here.parent
    return ".".join(words)
