"""One version for the schema, the Python package and the npm package, wherever it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from scripts.upgrade import PLACES

from parley.versions import __version__, in_order, is_older

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "pattern"), PLACES)
def test_the_version_is_the_same_everywhere(name: str, pattern: str) -> None:
    found = re.search(rf"{pattern}", (ROOT / name).read_text())
    assert found is not None
    assert found[0].removeprefix(found[1]) == __version__


def test_the_lock_of_npm_has_the_version_too() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert {packages[""]["version"], packages["web"]["version"]} == {__version__}


def test_the_changelog_and_the_page_about_compatibility_name_the_version() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert re.fullmatch(
        rf"(Unreleased: )?{re.escape(__version__)}(, \d{{4}}-\d\d-\d\d)?", headings[0]
    )
    assert f"| {__version__} |" in (ROOT / "docs" / "compatibility.md").read_text()


def test_versions_are_compared_as_numbers() -> None:
    assert in_order("0.10.0") == (0, 10, 0)
    assert is_older("0.9.9", "0.10.0")
    assert not is_older("0.10.0", "0.10.0")
