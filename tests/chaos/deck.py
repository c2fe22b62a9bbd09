"""Chance that leaves nothing out: what is rare comes as often as it should, also in a minute."""

from __future__ import annotations

import random
from collections.abc import Mapping


class Deck:
    """Draws words at random; of as many draws as there are cards, each word has its share."""

    def __init__(self, cards: Mapping[str, int], rng: random.Random) -> None:
        """``cards`` tells how often a word is in the deck."""
        self._all = [word for word, count in cards.items() for _ in range(count)]
        self._left: list[str] = []
        self._rng = rng

    def draw(self) -> str:
        """The next word; an empty deck is shuffled anew."""
        if not self._left:
            self._left = self._rng.sample(self._all, len(self._all))
        return self._left.pop()
