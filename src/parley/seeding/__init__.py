"""Realistic data of any size: the same seed makes the same people, rooms and messages."""

from __future__ import annotations

from parley.seeding.database import seed_database
from parley.seeding.plan import Plan, Scale

__all__ = ["Plan", "Scale", "seed_database"]
