"""What is one word in a search: what ``chat_private.fold_texts`` does, for texts in the copy.

The table comes from ``folding.json``, which the server's chapter is generated from as well.
"""

from __future__ import annotations

import json
import re
import unicodedata
from importlib.resources import files

LONGEST_WORD = 250
"""Words are kept up to here; what follows is looked at in the text itself."""

_TABLE: dict[str, str] = json.loads(
    files("parley").joinpath("folding.json").read_text(encoding="utf-8")
)


def _class(*names: str) -> str:
    """Return a class of the table as the inside of a bracket of a regular expression."""
    ranges = [each.split("-") for name in names for each in _TABLE[name].split()]
    return "".join("-".join(f"\\U{end:0>8}" for end in each) for each in ranges)


_LETTERS = {ord(entry[0]): entry[1:] for entry in _TABLE["letters"].split(",")} | {
    ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}
_ASCII_SEPARATORS = re.compile("[^a-z0-9]+")
_DROPPED = re.compile(f"[{_class('dropped')}]+")
_COMPOSING = re.compile(f"[{_class('composing')}]")
_EMOJI = re.compile(f"([{_class('flags')}]{{1,2}}|[{_class('emoji')}])")
_SEPARATORS = re.compile(f"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f{_class('separators')}]+")
_DENSE = re.compile(f"([{_class('dense')}]+)")


def fold_text(text: str) -> str:
    """Write a text as words apart by single spaces, each in the one form it has in a search.

    Words of scripts without spaces are not parted.
    """
    if text.isascii():
        return _ASCII_SEPARATORS.sub(" ", text.lower())
    folded = _DROPPED.sub("", text).translate(_LETTERS)
    if _COMPOSING.search(folded):
        folded = unicodedata.normalize("NFC", folded)
    # Splitting at a group and joining does what substituting it does, in a third of the time.
    return _SEPARATORS.sub(" ", " ".join(_DENSE.split(" ".join(_EMOJI.split(folded)))))


def is_dense(character: str) -> bool:
    """Tell whether a character is of a script that puts no spaces between words."""
    return _DENSE.match(character) is not None


def lexemes_of(text: str) -> list[str]:
    """Return the words under which a text is found, some of them more than once.

    What is written without spaces becomes overlapping pairs, and its last character alone.
    """
    lexemes = []
    for word in dict.fromkeys(fold_text(text).split()):
        if is_dense(word):
            lexemes += [word[place : place + 2] for place in range(len(word))]
        else:
            lexemes.append(word[:LONGEST_WORD])
    return lexemes


def room_word(room_id: str) -> str:
    """Return a word for a room, which nobody can type: a paragraph sign is in no word."""
    return "\u00a7" + room_id[:8]


def kept_words(room_id: str, text: str) -> str:
    """Return under what a message is found in a copy: its words, and one for its room."""
    return " ".join((room_word(room_id), *dict.fromkeys(lexemes_of(text))))
