"""What the races have in common, and a database with partitioned tables."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from bench.partitioned import partition

from parley.stack import Status
from tests.conftest import PARTS, cloned
from tests.sql.invariants import assert_invariants
from tests.sql.races import Owner


@pytest.fixture
def owner(database: str) -> Iterator[Owner]:
    """A connection past all rights; when the test is over, every invariant holds."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
        assert_invariants(connection)


@pytest.fixture(scope="session")
def partitioned(stack: Status, pytestconfig: pytest.Config) -> Iterator[str]:
    """The URL of a database with partitioned tables, for tests that leave nothing in it."""
    with cloned(stack, "parley_partitioned") as url:
        if not pytestconfig.getoption("partitioned"):
            partition(url, PARTS)
        yield url
