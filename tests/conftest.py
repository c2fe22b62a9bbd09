"""What all suites share: a stack of their own, or the one the environment names.

``SUPABASE_URL``, ``SUPABASE_KEY``, ``SUPABASE_SERVICE_KEY``, ``SUPABASE_JWT_SECRET``,
``DATABASE_URL`` (role postgres) and ``ADMIN_DATABASE_URL`` together name a stack; the suites then
run against it unchanged. Otherwise one is started on free ports and stopped at the end.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
import pytest_asyncio
from bench.partitioned import partition
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_postgresql.janitor import DatabaseJanitor

from parley.stack import Stack, Status

HELPERS = Path(__file__).parent.parent / "supabase" / "tests" / "000000_helpers.sql"
DATABASE = "parley_tests"
TEMPLATE = f"{DATABASE}_tmpl"
PARTS = 4
"""Partitions of each table where they are tested: enough for rooms and people to be apart."""
SLOW = 6
"""How many times as long a test may take beside others, on a machine that has other work."""


async def make_template(stack: Stack, *, partitioned: bool = False) -> None:
    """Keep the migrated database as a template, before anything connects to it."""
    urls = stack.status
    with psycopg.connect(urls.db_url, dbname="template1", autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE} template postgres is_template true")
    if partitioned:
        partition(make_conninfo(urls.db_url, dbname=TEMPLATE), PARTS)
    with psycopg.connect(urls.admin_db_url, dbname=TEMPLATE, autocommit=True) as connection:
        connection.execute("create extension pgtap with schema extensions")
    with psycopg.connect(urls.db_url, dbname=TEMPLATE, autocommit=True) as connection:
        connection.execute(HELPERS.read_text())


def trust_the_machine(stack: Status) -> None:
    """Let Postgres not wait for the disk, for commits in half the time: nobody crashes it here."""
    with psycopg.connect(stack.admin_db_url, autocommit=True) as connection:
        connection.execute("alter system set fsync = off")
        connection.execute("alter system set full_page_writes = off")
        connection.execute("select pg_reload_conf()")


def named_stack() -> Status | None:
    """Return the stack that the environment names."""
    if "SUPABASE_URL" not in os.environ:
        return None
    return Status(
        running=True,
        ready=True,
        data="",
        api_url=os.environ["SUPABASE_URL"],
        db_url=os.environ["DATABASE_URL"],
        admin_db_url=os.environ["ADMIN_DATABASE_URL"],
        publishable_key=os.environ["SUPABASE_KEY"],
        secret_key=os.environ["SUPABASE_SERVICE_KEY"],
        jwt_secret=os.environ["SUPABASE_JWT_SECRET"],
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``scripts/test --chaos`` ask for the long form of what lasts."""
    parser.addoption(
        "--chaos",
        action="store_true",
        help="run what is marked long too, and let tests/chaos last",
    )
    parser.addoption(
        "--partitioned",
        action="store_true",
        help="make the database that tests clone one with partitioned tables",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks of what depends on the speed of the machine, or takes many minutes."""
    config.addinivalue_line("markers", "long: measured against the clock; only with --chaos")
    config.addinivalue_line(
        "markers", "lasts(seconds): how long a file takes by itself; the longest files start first"
    )


class Markable(Protocol):
    """A test, or anything else that has markers."""

    def get_closest_marker(self, name: str) -> Any: ...


def lasts_s(item: Markable) -> float:
    """Return the seconds that the file of a test lasts."""
    marker = item.get_closest_marker("lasts")
    return float(marker.args[0]) if marker else 0.0


def limit_s(item: Markable, least_s: float) -> float:
    """Return how long a test may go on before it counts as stuck, ``least_s`` or more."""
    return max(least_s, SLOW * lasts_s(item))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start the longest files first, and leave out what is marked long unless it is asked for.

    A file runs in one process. If a long one began last, the other process would stand idle.
    """
    items.sort(key=lasts_s, reverse=True)
    if timeout := config.getoption("timeout"):
        for item in items:
            item.add_marker(pytest.mark.timeout(limit_s(item, timeout)))
    if config.getoption("chaos"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(pytestconfig: pytest.Config) -> AsyncIterator[Status]:
    """Urls and keys of a running stack with all migrations and without a seed."""
    named = named_stack()
    if named is not None:
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="parley-tests-") as folder:
        own = Stack(Path(folder), port=0, db_port=0)
        try:
            partitioned = pytestconfig.getoption("partitioned")
            status = await own.up(partial(make_template, partitioned=partitioned))
            if not pytestconfig.getoption("chaos"):  # The long form measures time.
                trust_the_machine(status)
            yield status
        finally:
            await own.down()


@contextmanager
def cloned(stack: Status, name: str) -> Iterator[str]:
    """Give the URL, as postgres, of a clone of the migrated database; drop it afterwards.

    The janitor of pytest-postgresql works as the superuser: autovacuum may be in the clone when it
    goes, and nobody else may send that away.
    """
    if not stack.data:
        pytest.fail("These tests clone a migrated database; run them with a stack of their own.")
    admin, postgres = conninfo_to_dict(stack.admin_db_url), conninfo_to_dict(stack.db_url)
    with DatabaseJanitor(
        user=str(admin["user"]),
        password=str(admin["password"]),
        host=str(admin["host"]),
        port=str(admin["port"]),
        dbname=name,
        template_dbname=TEMPLATE,
        maintenance_dbname="template1",
    ) as janitor:
        with janitor.cursor() as cursor:
            cursor.execute(f"alter database {name} owner to {postgres['user']}")
        yield make_conninfo(stack.db_url, dbname=name)


@pytest.fixture
def postgresql(stack: Status) -> Iterator[psycopg.Connection]:
    """A connection as postgres to a migrated database of this test's own, dropped afterwards."""
    with cloned(stack, DATABASE) as url, psycopg.connect(url) as connection:
        yield connection


@pytest.fixture
def database(postgresql: psycopg.Connection) -> Iterator[str]:
    """The URL of a migrated database of this test's own, dropped afterwards."""
    info = postgresql.info
    yield (f"postgresql://{info.user}:{info.password}@{info.host}:{info.port}/{info.dbname}")
