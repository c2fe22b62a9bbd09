"""Fixtures that several end-to-end suites share."""

from __future__ import annotations

from tests.e2e.chat_people import door, people
from tests.e2e.realtime_stack import postgres

__all__ = ["door", "people", "postgres"]
