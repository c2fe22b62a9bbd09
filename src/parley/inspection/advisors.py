"""Asking the advisors of the Supabase CLI about Parley's objects."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from parley.errors import StackError
from parley.finding import Finding, not_looked_at
from parley.node import supabase_cli

SECONDS = 60
NAME = "advisors"
SCHEMAS = ("chat", "chat_private")


def ask_advisors(url: str, *, everything: bool = False) -> Finding:
    """Run the advisors, and tell their warnings about Parley's own schemas.

    What they say about other objects is left out unless ``everything`` is wanted. The password is
    passed in the environment, not on the command line.
    """
    try:
        command = supabase_cli()
    except StackError as error:
        return not_looked_at(
            NAME,
            f"The advisors of the Supabase CLI were not asked. {error.detail}",
            f"Everything else was looked at. To ask them too: {error.hint}",
        )
    remote, password = without_password(url)
    options = ("--level", "warn", "--fail-on", "none", "--output-format", "json", "--agent", "no")
    with tempfile.TemporaryDirectory(prefix="parley-advisors-") as folder:
        try:
            done = subprocess.run(
                [*command, "db", "advisors", *options, f"--remote={remote}"],
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
            return no_answer(f"They did not answer within {SECONDS} seconds.")
        except OSError as error:
            return no_answer(f"They could not be started: {error.strerror}.")
    try:
        warnings = json.loads(done.stdout)["results"]
    except (ValueError, KeyError, TypeError):
        last = done.stderr.strip().splitlines()[-1:]
        return no_answer(f"They said: {last[0]}" if last else "They said nothing.")
    return describe_warnings([each for each in warnings if everything or is_about_parley(each)])


def no_answer(reason: str) -> Finding:
    """Return the finding for advisors that were asked in vain."""
    return not_looked_at(
        NAME,
        f"The advisors of the Supabase CLI gave no answer. {reason}",
        "Everything else was looked at. Run 'parley doctor' again to ask them again.",
    )


def is_about_parley(warning: dict[str, Any]) -> bool:
    """Say whether a warning is about something in Parley's schemas."""
    about = warning.get("metadata") or {}
    return about.get("schema") in SCHEMAS


def describe_warnings(warnings: list[dict[str, Any]]) -> Finding:
    """Tell the warnings in the advisors' own sentences, and where each is explained."""
    if not warnings:
        return Finding(
            NAME, True, "The advisors have no warning about anything that belongs to Parley."
        )
    sentences = [as_sentence(each["detail"]) for each in warnings]
    pages = sorted({each["remediation"] for each in warnings if each.get("remediation")})
    return Finding(
        NAME,
        False,
        " ".join(sentences),
        "Undo what was changed there, or apply Parley's migrations again."
        + (f" The warning is explained at {' and '.join(pages)}." if pages else ""),
    )


def as_sentence(words: str) -> str:
    """Return an advisor's words with a full stop, and names instead of an array of Postgres."""
    text = re.sub(r"`\{(.*?)\}`", lambda found: found[1].replace(",", ", "), words)
    return text.strip().rstrip(".") + "."


def without_password(url: str) -> tuple[str, str]:
    """Split a URL into one without its password, and the password.

    A URL of this machine gets ``sslmode=disable``, because the CLI tries TLS otherwise.
    """
    parts = urlsplit(url)
    user = quote(parts.username or "postgres")
    port = f":{parts.port}" if parts.port else ""
    is_local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    query = parts.query or ("sslmode=disable" if is_local else "")
    address = f"{user}@{parts.hostname}{port}"
    bare = urlunsplit((parts.scheme, address, parts.path, query, ""))
    return bare, parts.password or ""
