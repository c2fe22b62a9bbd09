"""Which version of Parley the migrations of a project make, found by content and not by names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from parley.installing.release import (
    STEP_HEAD,
    Chapter,
    Release,
    Step,
    earlier_releases,
    steps,
    this_release,
)
from parley.project import Project

CREATES = re.compile(
    r'^\s*create\s+schema\s+(?:if\s+not\s+exists\s+)?"?chat"?\s*(?:;|authorization\b)',
    re.IGNORECASE | re.MULTILINE,
)
PRIVATE = re.compile(r"\bchat_private\b")
"""What a migration of Parley's speaks of, and one that only has the same name does not."""


REMOVAL_HEAD = re.compile(r"\A-- Parley \S+ is taken out: ")
"""How the migration of 'parley uninstall' begins; what came before it is gone."""


@dataclass(frozen=True, slots=True)
class Found:
    """Parley in the migrations of a project.

    ``version`` is what they make, ``files`` are the migrations that are Parley's, and
    ``differences`` are sentences about what was changed in them. ``is_ours`` is false where a
    schema called chat is made that is not Parley's.
    """

    version: str
    files: tuple[Path, ...]
    differences: tuple[str, ...] = ()
    is_ours: bool = True


@dataclass(slots=True)
class Comparison:
    """The chapters of a release against those of a project."""

    release: Release
    files: list[Path] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    equal: int = 0


def find_parley(project: Project) -> Found | None:
    """Look for Parley in the migrations of a project; None when nothing makes the schema chat."""
    texts = {path: path.read_text() for path in project.migrations}
    removals = [at for at, text in enumerate(texts.values()) if REMOVAL_HEAD.match(text)]
    if removals:
        texts = dict(list(texts.items())[removals[-1] + 1 :])
    makers = [path for path, text in texts.items() if CREATES.search(text)]
    if not makers:
        return None
    if not any(PRIVATE.search(text) for text in texts.values()):
        name = makers[0].name
        return Found(
            "", (makers[0],), (f"{name} makes a schema chat that is not Parley's.",), False
        )
    compared = [compare(texts, release) for release in [this_release(), *earlier_releases()[::-1]]]
    best = max(compared, key=lambda each: (not each.differences, each.equal))
    if not best.equal:
        told = f"{makers[0].name} makes the schema chat, and nothing in it is as Parley wrote it."
        return Found(best.release.version, (makers[0],), (told,))
    return follow(best, texts, steps())


def compare(texts: dict[Path, str], release: Release) -> Comparison:
    """Look for each chapter of a release: the same text, else the same name."""
    pieces = [(path, piece) for path, text in texts.items() for piece in take_apart(path, text)]
    by_text = {piece.text.strip(): path for path, piece in pieces}
    by_name = {piece.name: path for path, piece in pieces if PRIVATE.search(piece.text)}
    compared = Comparison(release)
    for chapter in release.chapters:
        path = by_text.get(chapter.text.strip())
        if path is not None:
            compared.equal += 1
        elif (path := by_name.get(chapter.name)) is not None:
            compared.differences.append(
                f"{path.name}: {chapter.name} is not as in Parley {release.version}."
            )
        else:
            compared.differences.append(
                f"{chapter.name} of Parley {release.version} is in no migration."
            )
        if path is not None and path not in compared.files:
            compared.files.append(path)
    return compared


def take_apart(path: Path, text: str) -> Iterable[Chapter]:
    """Return the chapters of a migration: those that were joined in it, else it alone."""
    release = Release.parse(text)
    return release.chapters if release else [Chapter.read(path)]


def follow(base: Comparison, texts: dict[Path, str], known: list[Step]) -> Found:
    """Go on from the release that a project began with, along the upgrades that it holds."""
    version, files, differences = base.release.version, base.files, base.differences
    for path, text in texts.items():
        head = STEP_HEAD.match(text)
        if head is None or head["before"] != version:
            continue
        version = head["after"]
        files.append(path)
        ours = [step for step in known if (step.before, step.after) == (head[1], head[2])]
        if not ours or ours[0].sql.strip() != text.strip():
            differences.append(f"{path.name} is not as Parley {version} has it.")
    return Found(version, tuple(files), tuple(differences))
