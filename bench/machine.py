"""The machine that something was measured on, so that figures can be read without it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

PROCESSORS = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """Describe the machine.

    ``memory_gb`` is all of its memory, ``load`` the processes that wanted a processor in the last
    minute: much above ``cpus``, times of the clock say little, and processor times are longer too.
    """
    return {
        "cpus": os.cpu_count(),
        "model": model(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        "architecture": platform.machine(),
        "load": round(os.getloadavg()[0], 1),
    }


def model() -> str | None:
    """Return the name of the processors, where the system tells it."""
    lines = PROCESSORS.read_text().splitlines() if PROCESSORS.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), None)
