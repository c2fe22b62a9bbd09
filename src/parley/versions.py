"""The version of Parley, and which versions of its clients and its schema work together."""

from __future__ import annotations

import re

__version__ = "0.2.0"
"""Of this package, and of the schema that it installs."""
LOWEST_SCHEMA = "0.1.0"
"""The oldest schema that this package's client works with."""


def in_order(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, by which versions sort."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def is_older(version: str, other: str) -> bool:
    """Tell whether a version came before another one."""
    return in_order(version) < in_order(other)
