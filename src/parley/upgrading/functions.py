"""The files of Edge Functions as a release had them: digests, as ``sha256sum`` writes them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from parley.installing import release
from parley.installing.plan import function_files
from parley.project import Project


def functions_text() -> str:
    """Return the digests of this version, a line for each file."""
    files = function_files(Project(release.SUPABASE.parent))
    return "".join(f"{digest(text)}  {name_of(path)}\n" for path, text in files)


def released_functions(version: str) -> dict[str, str]:
    """Return the digests of a release by file; empty where it has none."""
    path = release.RELEASES / f"{version}.functions.txt"
    lines = path.read_text().splitlines() if path.is_file() else []
    return {name: found for found, name in (line.split("  ", 1) for line in lines)}


def name_of(path: Path) -> str:
    """Return the name of a file of a function: its folder and its own."""
    return f"{path.parent.name}/{path.name}"


def digest(text: str) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(text.encode()).hexdigest()
