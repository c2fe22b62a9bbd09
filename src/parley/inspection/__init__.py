"""The checks of ``parley doctor``: where a database or a project differs from its release."""

from __future__ import annotations

from parley.inspection.database import inspect_database
from parley.inspection.version import describe_project

__all__ = ["describe_project", "inspect_database"]
