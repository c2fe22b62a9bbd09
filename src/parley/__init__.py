"""Parley: a chat backend that lives in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parley.client import Chat, connect

__version__ = "0.1.0"
__all__ = ["Chat", "__version__", "connect"]


def __getattr__(name: str) -> Any:
    """Import the client when it is asked for; the local stack does without it."""
    if name in ("Chat", "connect"):
        from parley import client  # noqa: PLC0415

        return getattr(client, name)
    raise AttributeError(f"module 'parley' has no attribute {name!r}")
