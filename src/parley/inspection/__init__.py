"""Looks at a database, hosted or local, and says where it is not as the migrations promise."""

from __future__ import annotations

from parley.inspection.database import inspect_database

__all__ = ["inspect_database"]
