"""A program that misuses the generated code is refused by mypy, each time for its own reason."""

from __future__ import annotations

import re
from pathlib import Path

import mypy.api

ROOT = Path(__file__).parent.parent.parent
MISUSE = ROOT / "tests" / "types" / "misuse.py"
IGNORE = re.compile(r"  # type: ignore\[(.+)\]$", re.MULTILINE)


def test_every_misuse_is_an_error_of_its_own(tmp_path: Path) -> None:
    """The errors that the file ignores are those that mypy finds without the ignoring."""
    source = MISUSE.read_text()
    expected = {
        (number, match[1])
        for number, line in enumerate(source.splitlines(), 1)
        if (match := IGNORE.search(line))
    }
    program = tmp_path / "misuse.py"
    program.write_text(IGNORE.sub("", source))
    config = str(ROOT / "pyproject.toml")
    words, problems, _ = mypy.api.run(["--config-file", config, str(program)])
    assert not problems
    found = re.findall(r"misuse\.py:(\d+): error: .*\[(.+)\]$", words, re.MULTILINE)
    assert {(int(number), code) for number, code in found} == expected
    assert len(expected) > 15
