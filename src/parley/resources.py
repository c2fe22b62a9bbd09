"""What Parley brings along besides its Python code, under the names that it has in the repository.

That is ``supabase/`` with migrations and functions, and npm's lists of packages. A wheel carries
copies of it; a checkout is used as it is. What has to be fetched is kept for all projects together.
"""

from __future__ import annotations

import os
from pathlib import Path

CARRIED = Path(__file__).with_name("carried")
"""Where a wheel has it; pyproject.toml says what is put there."""
IS_CHECKOUT = not CARRIED.is_dir()
ROOT = Path(__file__).parents[2] if IS_CHECKOUT else CARRIED
"""The folder that holds ``supabase/`` and ``package.json``."""

ROOT_HOME = Path("/var/lib/parley")
"""Where the user root keeps what others must be able to read, and its databases."""


def shared_folder() -> Path:
    """Return where server programs and npm packages are kept, once per version for all stacks."""
    if os.geteuid() == 0:
        return ROOT_HOME
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "parley"
