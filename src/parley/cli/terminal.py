"""All output to the terminal: whatever other people wrote is shown and never obeyed.

Anybody can write names, messages, errors and lines of files. Control characters such as ESC and
U+009B would command the terminal, a bidi control would reverse a line, and half a surrogate pair
cannot be printed at all. They are printed as escapes, ``\\u001b``, which JSON and TypeScript read
as the character.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import traceback
from types import TracebackType

from rich.console import Console

UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff]"
)
"""Control characters except line feed and tab, bidi controls, line separators, and surrogates."""

console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
"""For progress bars, which rich draws."""


def safe(text: str) -> str:
    """Return a text that is safe to print. Line feeds and tabs stay."""
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def on_one_line(text: str) -> str:
    """Return a text that is safe to print, with line feeds and tabs as spaces."""
    return safe(text.replace("\n", " ").replace("\t", " "))


def put(text: str) -> None:
    """Print a line of data on stdout and flush it."""
    sys.stdout.write(f"{safe(text)}\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """Print a line for people on stderr."""
    sys.stderr.write(f"{safe(text)}\n")


class SafeFormatter(logging.Formatter):
    """Formats a log record as a text that is safe to print."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, with the traceback if there is one."""
        return safe(super().format(record))


def guard_terminal() -> None:
    """Make logs and tracebacks safe to print, and characters that the encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler()
    handler.setFormatter(SafeFormatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    sys.excepthook = tell_failure


def tell_failure(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    """Print the traceback of an unexpected failure."""
    tell("".join(traceback.format_exception(kind, error, where)).rstrip("\n"))
