"""Fixtures that several end-to-end suites share."""

from __future__ import annotations

from tests.e2e.realtime_stack import postgres

__all__ = ["postgres"]
