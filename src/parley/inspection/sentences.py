"""The forms in which several checks tell what they found."""

from __future__ import annotations

import psycopg

from parley.finding import Finding

SHOWN = 5


def listing(name: str, faults: list[str], hint: str, praise: str) -> Finding:
    """Return a finding that is good if there are no faults to tell."""
    return Finding(name, not faults, " ".join(faults) or praise, hint)


def some(noun: str, names: list[str]) -> str:
    """Return some names as part of a sentence: ``the migrations 1, 2, 3, 4, 5 and 2 more``."""
    shown = ", ".join(names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"the {noun}{'s' if len(names) > 1 else ''} {shown}{more}"


def shortened(sentences: list[str]) -> list[str]:
    """Return the first sentences, and one that says how many more there are."""
    if len(sentences) <= SHOWN:
        return sentences
    return [*sentences[:SHOWN], f"There are {len(sentences) - SHOWN} more of this kind."]


def first_line(error: psycopg.Error) -> str:
    """Return the first line of the database's error message, without a full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
