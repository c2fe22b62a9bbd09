"""The result of one check of ``parley doctor``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was checked, told in a sentence.

    ``hint`` is the remedy when it is not ``good``. What could not be looked at is ``skipped`` and
    counts as good; its hint says how to have it looked at.
    """

    name: str
    good: bool
    detail: str
    hint: str = ""
    skipped: bool = False


def not_looked_at(name: str, detail: str, hint: str) -> Finding:
    """Return the finding for a check that could not be made."""
    return Finding(name, True, detail, hint, skipped=True)
