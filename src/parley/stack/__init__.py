"""A whole Supabase project on one machine: Postgres, REST, Auth, Storage and Realtime.

``Stack`` starts one and supervises it; ``Status`` says where it listens and which keys it takes.
"""

from __future__ import annotations

from parley.stack.assembly import Stack
from parley.stack.status import PartStatus, Status

__all__ = ["PartStatus", "Stack", "Status"]
