"""How seeding and importing tell how far they are."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, int, int], None]
"""Told the name of a step, how much of it is done and how much there is."""
