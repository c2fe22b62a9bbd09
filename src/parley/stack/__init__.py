"""A whole Supabase project on one machine: Postgres, REST, Auth, Storage and Realtime.

``Stack`` starts one and supervises it; ``Status`` says where it listens and which keys it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parley.stack.assembly import Stack
    from parley.stack.status import PartStatus, Status

__all__ = ["PartStatus", "Stack", "Status"]


def __getattr__(name: str) -> Any:
    """Import the stack when it is asked for; most commands do without it."""
    if name == "Stack":
        from parley.stack import assembly  # noqa: PLC0415

        return assembly.Stack
    if name in ("PartStatus", "Status"):
        from parley.stack import status  # noqa: PLC0415

        return getattr(status, name)
    raise AttributeError(f"module 'parley.stack' has no attribute {name!r}")
