"""Leading a project from one release of Parley to the next, and taking Parley out of it again."""

from __future__ import annotations

from parley.upgrading.uninstall import plan_uninstall
from parley.upgrading.upgrade import describe_standing, plan_upgrade

__all__ = ["describe_standing", "plan_uninstall", "plan_upgrade"]
