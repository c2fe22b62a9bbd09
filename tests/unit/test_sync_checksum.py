"""The sum over a copy, as every client adds it up."""

from __future__ import annotations

from typing import Any

import pytest

from parley.sync.checksum import checksum
from tests.vectors import read


@pytest.mark.parametrize("vector", read("checksums"), ids=lambda vector: str(vector["says"]))
def test_a_copy_adds_up_to_what_the_vector_says(vector: dict[str, Any]) -> None:
    messages = [(seq, rev) for seq, rev in vector["messages"]]
    assert checksum(messages) == (vector["count"], vector["sum"])
