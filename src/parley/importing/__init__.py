"""Brings messages of another system into rooms, from JSONL; docs/operations.md has the shape."""

from __future__ import annotations

from parley.importing.database import Imported, import_files

__all__ = ["Imported", "import_files"]
