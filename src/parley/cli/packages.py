"""Fetches the npm packages of the local stack, for the commands that need them."""

from __future__ import annotations

from parley.cli.progress import shown_progress
from parley.cli.terminal import tell
from parley.node import fetch_packages, must_fetch_packages, packages_folder


def fetch_missing_packages() -> None:
    """Fetch the npm packages if this is a wheel's first time. Raises NodeMissing, PackagesMissing.

    It says so: they are about 500 MB. Later starts need no network.
    """
    if not must_fetch_packages():
        return
    tell(f"Fetching Postgres, the Supabase CLI and Deno from npm, once: {packages_folder()}")
    with shown_progress() as progress, progress.step("npm packages"):
        fetch_packages()
