"""The order in which files of tests start, and how long a test may go on."""

from __future__ import annotations

from tests.chaos import test_sync_convergence
from tests.conftest import lasts_s, limit_s


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
    names = [each.name for each in sorted(items, key=lasts_s, reverse=True)]
    assert names == ["long", "long, too", "short", "b", "a"]


def test_a_test_of_a_file_that_lasts_may_go_on_for_longer_than_others() -> None:
    assert [limit_s(each, 300) for each in (Item("a"), Item("b", 40))] == [300, 300]
    assert limit_s(Item("c", 150), 300) == 900
