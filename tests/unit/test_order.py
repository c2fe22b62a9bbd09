"""The order in which files of tests start."""

from __future__ import annotations

from tests.chaos import test_sync_convergence
from tests.conftest import longest_first


class Item:
    """As much of a test as its order depends on."""

    def __init__(self, name: str, lasts: float | None = None) -> None:
        self.name = name
        self.lasts = lasts

    def get_closest_marker(self, name: str) -> Item | None:
        assert name == test_sync_convergence.pytestmark.name
        return None if self.lasts is None else self

    @property
    def args(self) -> tuple[float | None]:
        return (self.lasts,)


def test_the_longest_files_start_first_and_the_others_stay_in_their_order() -> None:
    items = [Item("b"), Item("short", 5), Item("a"), Item("long", 60), Item("long, too", 60)]
    names = [each.name for each in sorted(items, key=longest_first)]
    assert names == ["long", "long, too", "short", "b", "a"]
