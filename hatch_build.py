"""Puts into a wheel what the package needs besides Python: SQL, npm's lists, and the built page.

The files stay where they are in the repository, and `parley.resources` finds them in either place.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACE = "parley/carried"
CARRIED = (
    "package.json",
    "package-lock.json",
    "web/package.json",
    "supabase/config.toml",
    "supabase/seed.sql",
    "supabase/migrations",
    "supabase/releases",
    "supabase/upgrades",
    "supabase/functions/_parley",
    "supabase/functions/collect-chat-files",
    "supabase/functions/send-chat-push",
    "supabase/releases",
    "supabase/upgrades",
)


class Carried(BuildHookInterface):
    """Adds the files to a wheel, and nothing to an editable installation."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name what goes into the wheel."""
        if version == "editable":
            return
        included = build_data["force_include"]
        for name in CARRIED:
            if not Path(self.root, name).exists():
                continue  # There are no releases before the first one.
            included[str(Path(self.root, name))] = f"{PLACE}/{name}"
        if not Path(self.root, "node_modules", "esbuild").is_dir():
            raise RuntimeError("A wheel holds the built page: run 'npm ci' in the checkout first.")
        self.page = tempfile.TemporaryDirectory(prefix="parley-page-")
        build = Path(self.root, "web", "page", "build.js")
        subprocess.run(["node", build, self.page.name], check=True)
        included[self.page.name] = f"{PLACE}/page"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Delete the page that was built for the wheel."""
        del build_data, artifact_path
        if version != "editable":
            self.page.cleanup()
