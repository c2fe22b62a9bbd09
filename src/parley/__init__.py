"""Parley: a chat backend that lives in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parley.versions import __version__

if TYPE_CHECKING:
    from parley.client import Chat, connect
    from parley.servers import Server, server
    from parley.sync.table import Table

__all__ = ["Chat", "Server", "Table", "__version__", "connect", "server"]


def __getattr__(name: str) -> Any:
    """Import the client when it is asked for; the local stack does without it."""
    if name in ("Chat", "connect"):
        from parley import client  # noqa: PLC0415

        return getattr(client, name)
    if name == "Table":
        from parley.sync.table import Table  # noqa: PLC0415

        return Table
    if name in ("Server", "server"):
        from parley import servers  # noqa: PLC0415

        return getattr(servers, name)
    raise AttributeError(f"module 'parley' has no attribute {name!r}")
