"""Comments of the database, as docstrings and as Markdown."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field

WIDTH = 99

LIST = re.compile(r"^(?:\s|[-*+•] |\d+[.)] )", re.MULTILINE)
"""A line that is an item of a list, or set in."""

SECTIONS = ("Args", "Returns", "Raises")


@dataclass(frozen=True)
class Comment:
    """A function's comment in its parts; a section that is not there is empty.

    ``args`` and ``raises`` are texts by name.
    """

    summary: str
    text: str = ""
    args: dict[str, str] = field(default_factory=dict)
    returns: str = ""
    raises: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, comment: str) -> Comment:
        """Take a comment apart: first line, paragraphs, and sections in Google style."""
        parts = re.split(r"^(Args|Returns|Raises):[ ]*\n", comment.strip(), flags=re.MULTILINE)
        head, *rest = parts
        summary, _, text = head.strip().partition("\n")
        sections = dict(zip(rest[::2], rest[1::2], strict=True))
        return cls(
            summary=summary,
            text=reflowed(text.strip()),
            args=entries(sections.get("Args", "")),
            returns=" ".join(sections.get("Returns", "").split()),
            raises=entries(sections.get("Raises", "")),
        )


def reflowed(text: str) -> str:
    """Join the lines of each paragraph, to be wrapped again later; lists stay as they are."""
    return "\n\n".join(
        paragraph if LIST.search(paragraph) else " ".join(paragraph.split())
        for paragraph in re.split(r"\n\s*\n", text)
    )


def entries(section: str) -> dict[str, str]:
    """Return the texts of ``name: text`` entries; deeper lines continue the entry above them."""
    found: dict[str, str] = {}
    name = ""
    for line in textwrap.dedent(section).strip().splitlines():
        match = re.match(r"(\w+): ?(.*)", line)
        if match:
            name = match[1]
            found[name] = match[2].strip()
        elif name:
            found[name] = f"{found[name]} {line.strip()}"
    return found


def docstring(text: str, indent: int) -> str:
    """Return a docstring with its quotes, for a place indented by so many spaces."""
    body = text.strip()
    core = body.rstrip('"')
    safe = core.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    safe += '\\"' * (len(body) - len(core))
    pad = " " * indent
    lines = [part for line in safe.splitlines() for part in wrapped(line, WIDTH - indent - 3)]
    if len(lines) <= 1:
        only = lines[0] if lines else ""
        if len(only) <= WIDTH - indent - 6:
            return f'{pad}"""{only}"""\n'
    joined = "\n".join(f"{pad}{line}".rstrip() for line in lines)
    return f'{pad}"""{joined.lstrip()}\n{pad}"""\n'


def wrapped(line: str, width: int) -> list[str]:
    """Break a line that is too long, keeping its indentation."""
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [""]
