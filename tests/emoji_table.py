"""Reactions as they may be spelled and as they are stored: one table for SQL and for Python."""

from __future__ import annotations

from emoji import EMOJI_DATA, STATUS

from tests.vectors import read

SPELLINGS: list[tuple[str, str]] = [
    (spelled, stored) for spelled, stored in read("emoji")["spellings"]
]
"""What is spelled, and what is stored."""

DISTINCT: list[tuple[str, str]] = [(one, other) for one, other in read("emoji")["distinct"]]
"""Different pictures stay different reactions."""

ONE = [
    *("\u2713", "\u00e9", "a", "\u0915\u094b", "\u0e01\u0e35\u0e49", "\ud55c", "\u05e9\u05c1"),
    *("\U0001f1e6", "\U0001f3fb", "\U0001f3f4\U000e0075\U000e0073\U000e0074\U000e0078\U000e007f"),
    *("\u8475\U000e0100", "\u0e33"),
]
"""One character as people see it, and no emoji of Unicode's list."""

NOT_ONE = [
    *("", " ", "\n", "ab", "<b>", "\U0001f44d\U0001f44d", "\U0001f44d ", "\u2764\u2764"),
    *("\u200d", "\u202e", "\u0301", "\u094b", "\ufe0f", "\u3164", "\u2800", "\u00ad", "\u115f"),
    *("a\u200db", "a\u200d\U0001f44d", "\U0001f44d\u200da", "\U0001f44d\u200d", "\U0001f44d\u200c"),
    *("\U0001f3fd\U0001f44d", "\U0001f3fd\U0001f3fd", "\U0001f44d\U0001f3fd\U0001f3ff"),
    *("a\U0001f3fd", "\U0001f1e9\U0001f1ea\U0001f1eb", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"),
    *("\U0001f44d\U000e0067\U000e007f", "\U0001f3f4\U000e0067\U000e0062", "\U0001f44d\U000e007f"),
    *("1\u20e32\u20e3", "12\u20e3", "x" * 10000, "\u2764" * 41),
]
"""Nothing that shows, or more than one."""

EVERY_EMOJI = {
    text
    for text, data in EMOJI_DATA.items()
    if data["status"] in (STATUS["fully_qualified"], STATUS["component"])
}
"""Unicode's list, as keyboards send it."""

EVERY_SPELLING = {*EMOJI_DATA, *(text.replace("\ufe0f", "") for text in EMOJI_DATA)}
"""Unicode's list with all, some or none of its U+FE0F."""
