"""Reads the audit of a database, and checks its chain without trusting that database."""

from __future__ import annotations

from parley.auditing.chain import Entry, Verdict, read_audit, verify

__all__ = ["Entry", "Verdict", "read_audit", "verify"]
