"""What Parley needs in a project's config.toml, put in beside what is there; comments stay."""

from __future__ import annotations

import json
import re
from collections.abc import MutableMapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array

from parley.errors import InstallRefused

EXPOSED = ["public", "graphql_public", "chat"]
"""The schemas of the API where a project names none: the Supabase CLI's own, and Parley's."""
WOKEN = ("send-chat-push", "collect-chat-files")
"""Functions that the database wakes with a secret of their own, which is no JWT."""
API_HEAD = re.compile(r"^\[[ \t]*api[ \t]*\][ \t]*(?:#[^\r\n]*)?(\r?\n)", re.MULTILINE)


def with_parley(text: str) -> str:
    """Return a config.toml that exposes the schema chat and lets the database wake the functions.

    Raises InstallRefused where a program cannot change the file.
    """
    document = parse(text)
    if "schemas" not in section(document, "api"):
        document = with_schemas(text)
    expose(section(document, "api"))
    functions = section(document, "functions")
    for name in WOKEN:
        if name not in functions:
            function = tomlkit.table()
            function["verify_jwt"] = False
            function.add(tomlkit.nl())
            functions[name] = function
    changed = tomlkit.dumps(document)
    return text if changed == text else changed.rstrip("\r\n") + "\n"


def without_parley(text: str) -> str:
    """Return a config.toml that neither exposes the schema chat nor names Parley's functions.

    A section of a function in which the project changed something stays. Raises InstallRefused.
    """
    document = parse(text)
    schemas = document.get("api", {}).get("schemas")
    if isinstance(schemas, Array) and "chat" in schemas:
        schemas.remove("chat")
    functions = document.get("functions", {})
    for name in WOKEN:
        if name in functions and dict(functions[name]) == {"verify_jwt": False}:
            functions.remove(name)
    if "functions" in document and not functions:
        document.remove("functions")
    return tomlkit.dumps(document).rstrip("\r\n") + "\n"


def parse(text: str) -> tomlkit.TOMLDocument:
    """Read a config.toml with its comments. Raises InstallRefused."""
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise InstallRefused(f"config.toml is no TOML: {error}.", "Correct it first.") from error


def section(document: tomlkit.TOMLDocument, name: str) -> Any:
    """Return a section of the file, made at its end when absent. Raises InstallRefused."""
    if name not in document:
        if not tomlkit.dumps(document).endswith("\n\n"):
            document.add(tomlkit.nl())
        document[name] = tomlkit.table(is_super_table=name == "functions")
    found = document[name]
    if not isinstance(found, MutableMapping):
        raise InstallRefused(f"{name} in config.toml is no section.", f"Write [{name}] instead.")
    return found


def with_schemas(text: str) -> tomlkit.TOMLDocument:
    """Return the file with the exposed schemas right below [api], where it has such a line.

    At the end of the section they would stand below the comment of the next one.
    """
    line = f"schemas = {json.dumps(EXPOSED)}"
    document = parse(API_HEAD.sub(lambda head: f"{head[0]}{line}{head[1]}", text, count=1))
    return document if "schemas" in section(document, "api") else parse(text)


def expose(api: Any) -> None:
    """Put chat among the exposed schemas of the section [api]. Raises InstallRefused."""
    schemas = api.setdefault("schemas", EXPOSED)
    if not isinstance(schemas, Array):
        raise InstallRefused(
            f"config.toml takes the exposed schemas from elsewhere: schemas = {schemas!r}.",
            "Write them into config.toml as a list.",
        )
    if "chat" not in schemas:
        schemas.append("chat")
