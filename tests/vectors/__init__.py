"""What the clients in Python and TypeScript have to agree on, one JSON file each.

``web/tests`` reads the same files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read(name: str) -> Any:
    """Return what one of the files holds."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


def copies() -> Any:
    """Return the cases of copies, with names and defaults put into all rows."""
    names = read("copies")["names"]
    text = json.dumps(read("copies"))
    for name, meant in names.items():
        text = text.replace(f'"{name}"', f'"{meant}"')
    found = json.loads(text)
    for case in found["cases"]:
        for event in case["events"]:
            fill_in(found["defaults"], event.get("step") or event["answer"])
    return {"names": names, "cases": found["cases"]}


def fill_in(defaults: Any, value: Any) -> None:
    """Complete the rows of a step, or of all streams of an answer."""
    for each in (value, value.get("user") or {}, *value.get("rooms", ())):
        for kind, rows in (each.get("rows") or {}).items():
            each["rows"][kind] = [{**defaults[kind], **row} for row in rows]
    if "profiles" in value:
        value["profiles"] = [{**defaults["profiles"], **row} for row in value["profiles"]]
