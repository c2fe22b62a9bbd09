"""Parley: a chat backend that lives in Postgres."""

from __future__ import annotations

__version__ = "0.1.0"
