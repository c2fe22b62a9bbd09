"""Lets ``python -m parley.cli`` run the command ``parley``."""

from __future__ import annotations

from parley.cli import main

main()
