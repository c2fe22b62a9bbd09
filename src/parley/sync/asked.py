"""A query as it was typed, read the way ``chat_private.read_query`` reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from parley.errors import InvalidInput
from parley.sync.words import LONGEST_WORD, fold_text, is_dense

MOST_WORDS = 10
_TYPED = re.compile(r'(-?)(?:"([^"]*)(?:"|\Z)|([^\s"]+))')


@dataclass(frozen=True, slots=True)
class Part:
    """Words next to each other, the last of which may be a beginning."""

    words: str
    is_excluded: bool = False
    is_begun: bool = False

    def is_in(self, folded: str) -> bool:
        """Tell whether a folded text between spaces has or, when it is left out, lacks this."""
        before = "" if is_dense(self.words) else " "
        after = "" if self.is_begun or is_dense(self.words[-1]) else " "
        return (before + self.words + after in folded) is not self.is_excluded

    def lexemes(self) -> Iterator[tuple[str, bool]]:
        """Yield under what a text with this is found, and whether that is a beginning."""
        *_, last = words = self.words.split()
        for word in words:
            if not is_dense(word):
                yield word[:LONGEST_WORD], self.is_begun and word is last
            elif len(word) == 1:
                yield word, True
            else:
                yield from ((word[place : place + 2], False) for place in range(len(word) - 1))


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody looks for: alternatives of parts that must be there, or must not."""

    alternatives: tuple[tuple[Part, ...], ...]

    def matches(self, text: str) -> bool:
        """Tell whether a text, as it was typed, is looked for."""
        folded = f" {fold_text(text)} "
        return any(all(part.is_in(folded) for part in parts) for parts in self.alternatives)

    def for_fts5(self, *also: str) -> str:
        """Return a query of FTS5 that finds every text that may match."""
        return " OR ".join(
            " AND ".join(dict.fromkeys((*also, *map(_quoted, _lexemes(parts)))))
            for parts in self.alternatives
        )


def _lexemes(parts: tuple[Part, ...]) -> Iterator[tuple[str, bool]]:
    for part in parts:
        if not part.is_excluded:
            yield from part.lexemes()


def _quoted(lexeme: tuple[str, bool]) -> str:
    word, is_begun = lexeme
    return f'"{word}" *' if is_begun else f'"{word}"'


def read_query(query: str) -> Asked:
    """Read a query: words, "words next to each other", ``or``, and ``-`` before what to leave out.

    Raises InvalidInput when it has too many different words.
    """
    typed = [
        (quoted or word, bool(minus), " ".join(fold_text(quoted or word).split()))
        for minus, quoted, word in _TYPED.findall(query)
    ]
    typed = [each for each in typed if each[2]]
    if len({word for _, _, words in typed for word in words.split()}) > MOST_WORDS:
        raise InvalidInput(
            f"A search has at most {MOST_WORDS} different words.",
            "Leave out those that matter least.",
        )
    alternatives: list[list[Part]] = [[]]
    for place, (text, is_excluded, words) in enumerate(typed):
        is_last = place == len(typed) - 1
        if text.lower() == "or" and not is_excluded and place > 0 and not is_last:
            alternatives.append([])
        else:
            is_begun = is_last and not fold_text(query).endswith(" ") and _may_be_begun(words)
            alternatives[-1].append(Part(words, is_excluded, is_begun))
    return Asked(tuple(_meant(parts) for parts in alternatives if parts))


def _may_be_begun(words: str) -> bool:
    """One letter is no beginning, but where a character is a word or a syllable, it is."""
    last = words.rpartition(" ")[2]
    return not is_dense(last) and (len(last) > 1 or len(last.encode()) > 2)


def _meant(parts: list[Part]) -> tuple[Part, ...]:
    """A minus leaves something out of what is looked for; where that is nothing, it is a sign."""
    if all(part.is_excluded for part in parts):
        return tuple(Part(part.words, False, part.is_begun) for part in parts)
    return tuple(parts)
