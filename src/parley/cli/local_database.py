"""The database of the local stack, for commands that are given no other."""

from __future__ import annotations

from pathlib import Path

from parley.errors import NotRunning
from parley.stack.lock import is_supervised
from parley.stack.state import State


def local_url(home: Path) -> str:
    """Return the URL of the running local stack. Raises NotRunning."""
    state = State.load(home)
    if state is None or not is_supervised(home):
        raise NotRunning(
            f"No stack is running from {home}.",
            "Start one with 'parley up --detach', or give --db-url.",
        )
    return state.db_url
