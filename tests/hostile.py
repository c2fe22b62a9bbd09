"""What somebody writes who wants to work the terminal of somebody else."""

from __future__ import annotations

import unicodedata

HOSTILE = (
    "\x1b]0;pwned\x07\x1b[2J\x1b[31m[bold red]EVIL[/] [link=http://evil.example]click[/link]"
    "\x9b31m\x9d0;x\x9c \u202egnp.exe\u2066\u200f\u061c\u2028\ufeff\r\x08\x7f :skull: {0} %s \ud83d"
)
"""Controls of the terminal and of direction, ends of lines, markup, templates, half a pair."""

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = {"\u061c", "\u200e", "\u200f", "\ufeff"}


def assert_shown(text: str) -> None:
    """Fail where something in a text works a terminal instead of being shown by it."""
    works = [
        each
        for each in text
        if (unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} and each not in "\n\t")
        or unicodedata.bidirectional(each) in BIDI
        or each in MARKS
    ]
    assert not works, (works, text)


def assert_hostile_but_shown(text: str) -> None:
    """Fail, too, where a text does not show what was written."""
    assert_shown(text)
    assert "\\u001b]0;pwned\\u0007" in text, text
    assert "[bold red]EVIL[/] [link=http://evil.example]click[/link]" in text, text
    assert ":skull: {0} %s" in text, text
