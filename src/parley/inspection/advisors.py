"""The advisors of the Supabase CLI, asked about a database."""

from __future__ import annotations

import os
import subprocess
import tempfile
from urllib.parse import quote, urlsplit, urlunsplit

from parley.errors import StackError
from parley.stack.binaries import node_modules
from parley.stack.doctor import Finding
from parley.stack.lite import find_node

SECONDS = 60


def ask_advisors(url: str) -> Finding:
    """Run the advisors; the password travels in the environment. Fails from warnings on."""
    try:
        command = [find_node(), str(node_modules() / "supabase" / "dist" / "supabase.js")]
    except StackError as error:
        return Finding("advisors", False, error.detail, error.hint)
    remote, password = without_password(url)
    with tempfile.TemporaryDirectory(prefix="parley-advisors-") as folder:
        try:
            done = subprocess.run(
                [
                    *command,
                    *("db", "advisors", "--fail-on", "warn", "--agent", "no", f"--remote={remote}"),
                ],
                cwd=folder,
                env={
                    **os.environ,
                    "PGPASSWORD": password,
                    "SUPABASE_HOME": folder,
                    "SUPABASE_TELEMETRY_DISABLED": "1",
                    "DO_NOT_TRACK": "1",
                },
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Finding("advisors", False, f"no answer within {SECONDS} s", "Try again.")
    hint = "Run 'supabase db advisors' against this database to read all of it."
    words = (done.stdout or done.stderr).strip().splitlines()
    detail = "nothing to say" if done.returncode == 0 else (words or ["they failed"])[0]
    return Finding("advisors", done.returncode == 0, detail, hint)


def without_password(url: str) -> tuple[str, str]:
    """Split a URL into one without its password, and the password.

    To this machine the CLI needs to be told that there is no TLS.
    """
    parts = urlsplit(url)
    user = quote(parts.username or "postgres")
    port = f":{parts.port}" if parts.port else ""
    is_local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    query = parts.query or ("sslmode=disable" if is_local else "")
    address = f"{user}@{parts.hostname}{port}"
    bare = urlunsplit((parts.scheme, address, parts.path, query, ""))
    return bare, parts.password or ""
