"""The database behind Realtime: commit order, restarts, locks, missing pieces."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import aiohttp
import psycopg
import psycopg2
import pytest
import pytest_asyncio
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from parley.realtime import PROFILES
from parley.realtime.authorization.probes import Probes
from parley.realtime.authorization.rights import Caller
from parley.realtime.authorization.tokens import Claims
from parley.realtime.database.errors import PolicyError
from parley.realtime.database.pool import Connection, DatabasePool
from parley.realtime.wal.stream import WalStream
from tests.e2e.realtime_server import served
from tests.e2e.realtime_stack import (
    KEY,
    Host,
    Raw,
    Server,
    free_port,
    hosted,
    make_token,
    run_sql,
    running_server,
)
from tests.until import until

SEND = "select realtime.send(jsonb_build_object('n', %s::int), 'said', 'room', false)"
SLOTS = "select count(*) from pg_replication_slots"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def host(postgres: Server) -> AsyncIterator[Host]:
    """A server without limits."""
    async with hosted(postgres.url) as server:
        yield server


class Listener:
    """A socket that collects the numbers it hears."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.heard: list[int] = []
        self._task = asyncio.create_task(self._listen())

    @classmethod
    async def join(cls, host: Host, topic: str = "realtime:room") -> Listener:
        """Join a public topic."""
        raw = await Raw.connect(host)
        assert (await raw.join(topic))[4]["status"] == "ok"
        return cls(raw)

    async def _listen(self) -> None:
        async for message in self.raw.ws:
            if isinstance(message.data, bytes):
                self.heard.append(json.loads(message.data[message.data.index(b"}{") + 1 :])["n"])

    async def close(self) -> None:
        """Disconnect."""
        await self.raw.close()
        await self._task


async def test_what_is_heard_is_in_commit_order_and_what_rolled_back_is_not(
    host: Host, postgres: Server
) -> None:
    listener = await Listener.join(host)
    committed: list[int] = []
    lock = asyncio.Lock()

    async def write(writer: int) -> None:
        rng = random.Random(writer)
        url = postgres.developer_url
        async with await psycopg.AsyncConnection.connect(url) as connection:
            for number in range(writer * 1000, writer * 1000 + 30):
                await connection.execute(SEND, (number,))
                await asyncio.sleep(rng.random() * 0.005)
                if rng.random() < 0.3:
                    await connection.rollback()
                    continue
                async with lock:
                    await connection.commit()
                    committed.append(number)

    await asyncio.gather(*(write(each) for each in range(8)))
    await until(lambda: len(listener.heard) >= len(committed))
    assert listener.heard == committed
    await listener.close()


async def test_one_transaction_is_heard_whole_and_in_its_own_order(
    host: Host, postgres: Server
) -> None:
    listener = await Listener.join(host)
    statement = (
        "select realtime.send(jsonb_build_object('n', n), 'said', 'room', false)"
        " from generate_series(1, 3000) as n"
    )
    await run_sql(postgres.developer_url, statement)
    await until(lambda: len(listener.heard) >= 3000)
    assert listener.heard == list(range(1, 3001))
    await listener.close()


async def test_a_broken_wal_connection_loses_nothing_and_repeats_nothing(
    host: Host, postgres: Server
) -> None:
    listener = await Listener.join(host)
    for number in range(60):
        await run_sql(postgres.developer_url, SEND, number)
        if number % 20 == 10:
            kill = "select pg_terminate_backend(active_pid) from pg_replication_slots where active"
            await run_sql(postgres.url, kill)
    await until(lambda: len(listener.heard) >= 60)
    assert listener.heard == list(range(60))
    await listener.close()


async def test_a_socket_that_gets_the_number_of_a_broken_wal_connection_is_read(
    postgres: Server,
) -> None:
    await run_sql(postgres.url, "select pg_create_logical_replication_slot('numbers', 'pgoutput')")
    lines: list[asyncio.StreamWriter] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = conninfo_to_dict(postgres.url)
        back, on = await asyncio.open_connection(str(there["host"]), there["port"])
        lines.extend((writer, on))
        await asyncio.gather(pump(reader, on), pump(back, writer), return_exceptions=True)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async with AsyncExitStack() as end:
        line = await end.enter_async_context(await asyncio.start_server(forward, "127.0.0.1", 0))
        url = make_conninfo(postgres.url, port=line.sockets[0].getsockname()[1], sslmode="disable")
        stream = WalStream(0, lambda changes, begin: None, lambda: False)
        end.callback(stream.close)
        await stream.open(url, "numbers", ["supabase_realtime_messages_publication"])
        assert stream._connection is not None
        number = stream._connection.fileno()
        for each in lines:
            each.transport.abort()
        with pytest.raises(psycopg2.Error):
            await asyncio.wait_for(asyncio.shield(stream.ended), 10)
        pairs = [socket.socketpair() for _ in range(50)]
        sides = {}
        for here, there in (*pairs, *(pair[::-1] for pair in pairs)):
            here.setblocking(False)
            end.callback(here.close)
            sides[here.fileno()] = here, there
        here, there = sides[number]
        hearing = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(here, 9))
        await asyncio.sleep(0)
        there.send(b"something")
        assert await asyncio.wait_for(hearing, 10) == b"something"

    async def is_dropped() -> bool:
        try:
            await run_sql(postgres.url, "select pg_drop_replication_slot('numbers')")
        except psycopg.errors.ObjectInUse:
            return False
        return True

    await until(is_dropped)


async def test_a_slot_that_somebody_dropped_is_made_again(host: Host, postgres: Server) -> None:
    drop = (
        "select pg_terminate_backend(active_pid), pg_sleep(0.05),"
        " pg_drop_replication_slot(slot_name) from pg_replication_slots where active"
    )
    before = (await host.metrics())["realtime_replication_connections_total"]

    async def made_again() -> bool:
        try:
            await run_sql(postgres.url, drop)
        except psycopg.errors.ObjectInUse:
            return False
        await until(lambda: host.realtime.ready)
        return (await host.metrics())["realtime_replication_connections_total"] != before

    await until(made_again)
    listener = await Listener.join(host)
    await run_sql(postgres.developer_url, SEND, 7)
    await until(lambda: listener.heard == [7])
    await listener.close()


async def test_a_publication_that_is_made_anew_costs_no_broadcast(
    host: Host, postgres: Server
) -> None:
    await run_sql(postgres.developer_url, "create table public.things (id int primary key)")
    publish = "create publication supabase_realtime for table public.things"
    listener = await Listener.join(host)
    for number, statement in enumerate(("drop publication supabase_realtime", publish, "select 1")):
        await run_sql(postgres.developer_url, SEND, number)
        await run_sql(postgres.developer_url, statement)
        await run_sql(postgres.developer_url, "insert into things values (%s)", number)
    await until(lambda: len(listener.heard) >= 3)
    assert listener.heard == [0, 1, 2]
    raw = await Raw.connect(host)
    await raw.join(postgres_changes=[{"event": "*", "schema": "public", "table": "things"}])
    assert (await raw.receive())[4]["status"] == "ok"

    async def insert_until_heard() -> Any:
        hearing, number = asyncio.create_task(raw.receive()), 3
        while not hearing.done():
            await run_sql(postgres.developer_url, "insert into things values (%s)", number)
            number += 1
            await asyncio.sleep(0.05)
        return await hearing

    heard = await asyncio.wait_for(insert_until_heard(), 10)
    assert heard[3] == "postgres_changes"
    await run_sql(postgres.developer_url, "drop table things")
    await raw.close()
    await listener.close()


async def test_a_locked_partition_delays_a_join_by_seconds_and_then_refuses_it(
    host: Host, postgres: Server
) -> None:
    raw, public = await Raw.connect(host), await Raw.connect(host)
    async with await psycopg.AsyncConnection.connect(postgres.url) as connection:
        await connection.execute("lock table realtime.messages in access exclusive mode")
        token = make_token("service_role")
        joining = asyncio.create_task(raw.join(private=True, access_token=token))
        assert (await public.join())[4]["status"] == "ok"
        answer = await joining
    assert answer[4]["response"]["reason"].startswith("QueryCanceled: ")
    assert (await raw.join(private=True, access_token=token))[4]["status"] == "ok"
    await raw.close()
    await public.close()


async def test_without_todays_partition_private_joins_are_refused(
    host: Host, postgres: Server
) -> None:
    raw = await Raw.connect(host)
    token = make_token("service_role")
    assert (await raw.join(private=True, access_token=token))[4]["status"] == "ok"
    name = "messages_" + (await run_sql(postgres.url, "select to_char(now(), 'YYYY_MM_DD')"))[0][0]
    await run_sql(postgres.url, f"drop table realtime.{name}")
    try:
        other = await Raw.connect(host)
        answer = await other.join(private=True, access_token=token)
        assert answer[4]["response"]["reason"] == (
            "MissingPartition: Realtime was unable to find the expected messages partition"
        )
        await other.close()
    finally:
        await run_sql(postgres.url, "select _realtime.keep_partitions()")
    await raw.close()


async def test_partitions_are_kept_ahead_and_dropped_after_three_days(postgres: Server) -> None:
    create = (
        "create table realtime.messages_2020_01_01 partition of realtime.messages"
        " for values from ('2020-01-01') to ('2020-01-02')"
    )
    await run_sql(postgres.url, create)
    tomorrow = "select to_char(now() + interval '1 day', '\"messages_\"YYYY_MM_DD')"
    name = (await run_sql(postgres.url, tomorrow))[0][0]
    await run_sql(postgres.url, f"drop table realtime.{name}")
    look = "select relname from pg_class where relname = any(%s)"

    async def kept() -> bool:
        return await run_sql(postgres.url, look, ["messages_2020_01_01", name]) == [(name,)]

    async with hosted(postgres.url):
        await until(kept)


async def test_stopping_drops_the_slot(postgres: Server) -> None:
    ((before,),) = await run_sql(postgres.url, SLOTS)
    async with hosted(postgres.url):
        assert await run_sql(postgres.url, SLOTS) == [(before + 1,)]
    assert await run_sql(postgres.url, SLOTS) == [(before,)]


async def test_the_successor_of_a_killed_server_repeats_nothing(postgres: Server) -> None:
    async with served(postgres.url, "of_the_killed") as first:
        for number in range(20):
            await run_sql(postgres.developer_url, SEND, number)
        first.process.kill()
        await first.process.wait()
    for number in range(20, 40):
        await run_sql(postgres.developer_url, SEND, number)
    async with (
        served(postgres.url, "of_the_killed") as second,
        aiohttp.ClientSession() as session,
    ):
        ws = await session.ws_connect(f"{second.url}/realtime/v1/websocket?apikey={KEY}&vsn=2.0.0")
        await ws.send_json(["1", "1", "realtime:room", "phx_join", {"config": {}}])
        assert (await ws.receive_json())[4]["status"] == "ok"
        await run_sql(postgres.developer_url, SEND, 40)
        assert b'"n": 40' in (await ws.receive(timeout=10)).data
    left = "select count(*) from pg_replication_slots where slot_name like 'of_the_killed%'"
    assert await run_sql(postgres.url, left) == [(0,)]


async def test_a_database_that_is_not_there_yet_refuses_joins_until_it_is() -> None:
    url = f"postgresql://nobody:x@127.0.0.1:{free_port()}/postgres"
    async with hosted(url, is_ready=False) as early:
        raw = await Raw.connect(early)
        for private in (False, True):
            answer = await raw.join(private=private)
            reason = answer[4]["response"]["reason"]
            assert reason.startswith("UnableToConnectToProject: ")
        await raw.push(None, "1", "phoenix", "heartbeat", {})
        assert (await raw.receive())[4]["status"] == "ok"
        assert (await early.metrics())["realtime_replication_connected"] == 0
        await raw.close()


async def test_a_restart_of_the_database_is_survived_and_nothing_is_lost_or_repeated() -> None:
    async with running_server() as server, hosted(server.url) as host:
        listener = await Listener.join(host)
        raw = await Raw.connect(host)
        token = make_token("service_role")
        assert (await raw.join(private=True, access_token=token))[4]["status"] == "ok"
        sent = 0

        async def send(count: int) -> None:
            nonlocal sent
            for _ in range(count):
                await run_sql(server.developer_url, SEND, sent)
                sent += 1

        for number in range(3):
            await send(20)
            await server.stop()
            topic = f"realtime:{number}"
            answer = await raw.join(topic, private=True, access_token=token)
            assert answer[4]["response"]["reason"].startswith("UnableToConnectToProject: ")
            await server.start()
            answer = await raw.join(topic, private=True, access_token=token)
            assert answer[4]["status"] == "ok"
            await send(20)
        await until(lambda: len(listener.heard) >= sent)
        assert listener.heard == list(range(sent))
        await raw.close()
        await listener.close()


async def test_lossy_loses_a_share_and_what_comes_before_ready_but_keeps_the_order(
    postgres: Server,
) -> None:
    lossy = PROFILES["lossy"]
    capture = replace(lossy.capture, ready_after_s=0.1, reconnect_every_s=0.3, drop_share=0.3)
    profile = replace(lossy, capture=capture)
    fates = ("dropped", "before ready")
    lost = [f'realtime_database_events_total{{fate="{each}"}}' for each in fates]
    async with hosted(postgres.url, profile, is_ready=False) as host:
        listener = await Listener.join(host)
        sent = 0

        async def send() -> bool:
            """Send some more; whether enough was heard, and some were lost in either way."""
            nonlocal sent
            for _ in range(20):
                await run_sql(postgres.developer_url, SEND, sent)
                sent += 1
            metrics = await host.metrics()
            return len(listener.heard) > 100 and all(metrics.get(each, 0) > 0 for each in lost)

        await until(send, within_s=30)
        await listener.close()
        assert listener.heard == sorted(set(listener.heard))
        assert len(listener.heard) < sent


async def test_events_before_replication_ready_are_gone_and_later_ones_come(
    postgres: Server,
) -> None:
    hosted_profile = PROFILES["hosted"]
    profile = replace(
        PROFILES["plain"],
        capture=replace(hosted_profile.capture, ready_after_s=0.5, retry_s=0.1),
    )
    async with hosted(postgres.url, profile, is_ready=False) as host:
        raw = await Raw.connect(host)
        answer: Any = await raw.join(broadcast={"replication_ready": True})
        assert answer[4]["status"] == "ok"
        await run_sql(postgres.developer_url, SEND, 1)
        payload = (await raw.receive())[4]
        assert payload["message"] == "Replication connection established"
        await run_sql(postgres.developer_url, SEND, 2)
        assert b'"n": 2' in await raw.receive()
        await raw.close()


async def test_asking_for_rights_again_on_a_connection_plans_nothing_again(
    postgres: Server,
) -> None:
    pool = DatabasePool(postgres.url, size=1)
    probes = Probes(pool)
    claims = {"role": "authenticated", "sub": "6f1c5a3e-0000-4000-8000-000000000001"}
    caller = Caller(Claims(claims, "authenticated", 0), {})
    nobody = Caller(Claims(claims, "a role that is not there", 0), {})

    async def plans(connection: Connection) -> dict[str, int]:
        cursor = await connection.execute("select name, custom_plans from pg_prepared_statements")
        return {row["name"]: row["custom_plans"] for row in await cursor.fetchall()}

    try:
        for _ in range(10):
            assert await probes.readable(caller, "room", ["broadcast"]) == {"broadcast": False}
        before = await pool.run(plans)
        assert set(before) == {"probe_rows", "take_on", "probe_read"}
        # A question that fails is over, and the connection is good for the next one.
        with pytest.raises(PolicyError):
            await probes.readable(nobody, "room", ["broadcast"])
        assert not any((await probes.readable(caller, "room", ["broadcast", "presence"])).values())
        assert await pool.run(plans) == before
        # Nor does a question about the right to write, after other statements were repeated.
        for _ in range(10):
            await pool.run(plans)
        assert await probes.writable(caller, "room", ["broadcast"]) == {"broadcast": False}
        assert await probes.readable(caller, "room", ["broadcast"]) == {"broadcast": False}
        assert await pool.run(plans) == before
    finally:
        await pool.close()
