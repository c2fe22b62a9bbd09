"""REST follows the schema, as on a hosted project, and rows of storage are not deleted by SQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio
from supabase import create_client

from parley.stack import Status
from tests.until import until

DEADLINE_S = 20.0


@pytest.fixture
def table(stack: Status) -> str:
    return f"things_{uuid4().hex[:8]}"


@pytest_asyncio.fixture
async def rest(stack: Status) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"apikey": stack.secret_key}
    async with httpx.AsyncClient(base_url=f"{stack.api_url}/rest/v1/", headers=headers) as client:
        yield client


async def eventually(client: httpx.AsyncClient, path: str, status: int) -> httpx.Response:
    """Ask until the answer has this status."""

    async def answer() -> httpx.Response | None:
        found = await client.get(path)
        return found if found.status_code == status else None

    found: httpx.Response = await until(answer, DEADLINE_S)
    return found


async def test_what_ddl_makes_changes_and_drops_is_known_without_a_restart(
    stack: Status, rest: httpx.AsyncClient, table: str
) -> None:
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        assert (await rest.get(table)).status_code == 404
        connection.execute(f"create table public.{table} (id int primary key)")
        assert (await eventually(rest, table, 200)).json() == []
        connection.execute(f"alter table public.{table} add column color text")
        await eventually(rest, f"{table}?select=color", 200)
        connection.execute(
            f"create function public.count_{table}() returns int language sql stable return 7"
        )
        assert (await eventually(rest, f"rpc/count_{table}", 200)).json() == 7
        connection.execute(f"drop table public.{table}")
        await eventually(rest, table, 404)
        connection.execute(f"drop function public.count_{table}")


async def test_no_request_is_lost_while_the_schema_changes(
    stack: Status, rest: httpx.AsyncClient, table: str
) -> None:
    codes: list[int] = []
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            codes.append(
                (await rest.get("rooms?limit=1", headers={"Accept-Profile": "chat"})).status_code
            )

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    async with await psycopg.AsyncConnection.connect(stack.db_url, autocommit=True) as connection:
        for number in range(10):
            await connection.execute(f"create table public.{table}_{number} (id int)")
            await connection.execute(f"drop table public.{table}_{number}")
    done.set()
    await asyncio.gather(*asking)
    assert set(codes) == {200}


def test_rows_of_storage_are_deleted_by_its_api_alone(stack: Status) -> None:
    service = create_client(stack.api_url, stack.secret_key)
    bucket = f"bucket-{uuid4().hex[:8]}"
    service.storage.create_bucket(bucket)
    service.storage.from_(bucket).upload("kept.txt", b"kept")
    for statement in (
        "delete from storage.objects where bucket_id = %s",
        "delete from storage.buckets where id = %s",
    ):
        with (
            psycopg.connect(stack.db_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="Use the Storage API"),
        ):
            connection.execute(statement, [bucket])
    assert service.storage.from_(bucket).download("kept.txt") == b"kept"
    service.storage.from_(bucket).remove(["kept.txt"])
    assert service.storage.from_(bucket).list() == []
    service.storage.delete_bucket(bucket)
    assert bucket not in {each.id for each in service.storage.list_buckets()}
