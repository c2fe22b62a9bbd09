"""The faults that stop an import: which line of which file is wrong, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parley.errors import ImportRefused

SHOWN = 20
"""How many are told; a file in which everything is wrong is not read to its end."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``where`` is the file and the line. ``hint`` is the remedy where a room is at fault."""

    where: str
    said: str
    hint: str = ""


def refusal(faults: Sequence[Fault]) -> ImportRefused:
    """Return the error that tells some faults, one per line."""
    # (A key of a line may hold ends of lines.)
    lines = [f"{fault.where}: {' '.join(fault.said.split())}" for fault in faults[:SHOWN]]
    if len(faults) > SHOWN:
        lines.append(f"and {len(faults) - SHOWN} more")
    remedy = faults[0].hint if len(faults) == 1 else ""
    which = "this line, or take it out" if len(faults) == 1 else "these lines, or take them out"
    return ImportRefused(
        "\n".join(lines),
        f"Nothing was imported. {remedy or f'Correct {which}, then import again.'}",
    )
