"""How far each stream is said to have come, until the copy is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parley.sync.cursor import CopyCursor
from parley.sync.steps import HeadsByRoom

OWN: None = None
"""The name of the own stream; all others are named after their room."""


class Targets:
    """The streams that have to be pulled, and up to where."""

    def __init__(self) -> None:
        self._told: dict[str | None, int] = {}
        self._expected: dict[str | None, int] = {}
        self._unfinished: set[str | None] = set()
        self._above: dict[str | None, tuple[int, float]] = {}

    def tell(self, stream: str | None, to: int) -> None:
        """Note that a stream has come this far."""
        self._told[stream] = max(to, self._told.get(stream, 0))

    def expect(self, stream: str | None, to: int) -> None:
        """Note that the server is this far, and that a step will probably tell so."""
        self._expected[stream] = max(to, self._expected.get(stream, 0))

    def clear(self) -> None:
        """Forget what was told: it is of another history."""
        self._told.clear()
        self._expected.clear()

    def known(self, cursor: CopyCursor) -> dict[str | None, int]:
        """The highest number that is known of each stream: here, told or expected."""
        return {
            stream: max(have or 0, self._told.get(stream, 0), self._expected.get(stream, 0))
            for stream, have in positions(cursor).items()
        }

    def note_answer(self, streams: Iterable[str | None], has_more: bool) -> None:
        """Note whether the server has more of these streams than it answered with."""
        if has_more:
            self._unfinished |= set(streams)
        else:
            self._unfinished -= set(streams)

    def behind(self, cursor: CopyCursor) -> list[str | None]:
        """The streams that are not where they were told to be, or not counted."""
        streams = positions(cursor)
        self._told = {
            each: to
            for each, to in self._told.items()
            if each in streams and (streams[each] or 0) < to
        }
        self._expected = {
            each: to
            for each, to in self._expected.items()
            if each in streams and (streams[each] or 0) < to
        }
        self._unfinished &= streams.keys()
        wanted = self._told.keys() | self._unfinished | cursor.uncounted
        return [each for each, rev in streams.items() if rev is None or each in wanted]

    def compare(self, heads: HeadsByRoom, cursor: CopyCursor) -> Mapping[str | None, int]:
        """Take the heads as told; returns those that nothing else had told of."""
        news: dict[str | None, int] = {}
        for stream, head, have in paired(heads, cursor):
            if have is not None and have < head and self._told.get(stream, 0) < head:
                news[stream] = head
            if have is None or have < head:
                self.tell(stream, head)
        return news

    def doubtful(
        self, heads: HeadsByRoom, cursor: CopyCursor, now: float, most_s: float
    ) -> list[tuple[str | None, int]]:
        """The streams of which the copy has been ahead of the server for ``most_s``, and how far.

        For a moment that is an old snapshot, for longer a restore.
        """
        doubtful = []
        for stream, head, have in paired(heads, cursor):
            if have is None or have <= head:
                self._above.pop(stream, None)
                continue
            before, since = self._above.setdefault(stream, (have, now))
            if before != have:
                self._above[stream] = (have, now)
            elif now - since >= most_s:
                del self._above[stream]
                doubtful.append((stream, have))
        return doubtful


def positions(cursor: CopyCursor) -> dict[str | None, int | None]:
    """Where the copy is in each stream, the own one first."""
    streams: dict[str | None, int | None] = {OWN: cursor.user}
    streams.update(cursor.rooms)
    return streams


def paired(heads: HeadsByRoom, cursor: CopyCursor) -> Iterable[tuple[str | None, int, int | None]]:
    """Each stream of the copy that the heads name, with its head and where the copy is."""
    for stream, have in positions(cursor).items():
        head = heads.user if stream is OWN else heads.rooms.get(stream)
        if head is not None:
            yield stream, head.rev, have
