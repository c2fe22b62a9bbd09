"""How long the soak lasts: 40 seconds, or ten minutes with ``--chaos``."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.realtime_server import ServerProcess, served
from tests.e2e.realtime_stack import Server, running_server


@pytest.fixture
def soak_s(pytestconfig: pytest.Config) -> float:
    """Seconds that a soak lasts."""
    return 600.0 if pytestconfig.getoption("chaos") else 40.0


@pytest_asyncio.fixture(loop_scope="session")
async def soaked() -> AsyncIterator[tuple[Server, ServerProcess]]:
    """A Postgres and a Realtime server in processes of their own."""
    async with running_server() as postgres, served(postgres.url) as realtime:
        yield postgres, realtime
