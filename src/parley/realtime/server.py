"""The whole server: its parts, its routes, how it starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
from aiohttp import web

from parley.realtime import rest
from parley.realtime.authorization.probes import Probes
from parley.realtime.authorization.tokens import Tokens
from parley.realtime.channel.context import Context
from parley.realtime.channel.replay import MessageArchive
from parley.realtime.database.errors import UnreachableError
from parley.realtime.database.janitor import Janitor
from parley.realtime.database.pool import Connection, DatabasePool
from parley.realtime.metrics import Metrics
from parley.realtime.postgres_changes.changes import TableChanges
from parley.realtime.settings import RealtimeSettings
from parley.realtime.socket import websocket
from parley.realtime.wal.feed import Feed
from parley.realtime.wal.replication import Replication

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIXES = ("/realtime/v1", "")
SWEEP_EVERY_S = 5.0
"""How often the server looks for sockets without a channel."""


class Realtime:
    """A stand-in for Supabase's Realtime server.

    ``add_routes`` adds it to an application, ``start`` begins to read the database's WAL, ``stop``
    closes every socket (1012) and drops the replication slot. The database may be away at the
    start or at any later time: sockets stay open, and joins are refused until it is back. ``told``
    is called after every transaction that broadcast something.
    """

    def __init__(self, settings: RealtimeSettings, told: Callable[[], None] = lambda: None) -> None:
        limits, url = settings.profile.limits, settings.database_url
        metrics = Metrics()
        self.settings = settings
        self._database = DatabasePool(url)
        self._replication = Replication(url, settings.slot, settings.profile.capture, metrics)
        self._tables = TableChanges(self._database, metrics)
        self.context = Context(
            tokens=Tokens(settings.jwt_secret, settings.api_keys),
            limits=limits,
            authorizer=Probes(self._database),
            archive=MessageArchive(self._database),
            wal=self._replication,
            tables=self._tables,
            reach_database=self._reach_database,
            metrics=metrics,
        )
        self._feed = Feed(
            self.context.hub,
            self.context.meters,
            metrics,
            limits.payload_bytes,
            tables=self._tables.take,
            told=told,
        )
        self._janitor = Janitor(self._database)
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether broadcasts from the database arrive."""
        return self._replication.ready

    def add_routes(self, app: web.Application) -> None:
        """Add the WebSocket, the REST endpoints, a ping and the metrics to ``app``."""
        for prefix in PREFIXES:
            path = "/websocket" if prefix else "/socket/websocket"
            app.router.add_get(prefix + path, self._bound(websocket.serve))
        rest.add_routes(app, self.context, PREFIXES)

    async def start(self) -> None:
        """Begin to read the WAL and to create partitions; returns at once."""
        self._replication.start(self._feed.take, lambda: self._tables.is_behind)
        self._tables.start()
        self._janitor.start()
        if self.settings.profile.limits.channelless_s is not None:
            self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Close all sockets, drop the replication slot and close all database connections."""
        sessions = tuple(self.context.sessions)
        for session in sessions:
            session.listener.close(websocket.SERVICE_RESTART, "The server restarts")
        if self.context.closing:
            await asyncio.wait(tuple(self.context.closing))
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._janitor.stop()
        await self._tables.stop()
        await self._replication.stop()
        await self._database.close()

    async def _reach_database(self) -> None:
        if not self._replication.ready:
            try:
                await self._database.run(_ping)
            except psycopg.Error as error:
                raise UnreachableError from error

    async def _sweep(self) -> None:
        limit = self.settings.profile.limits.channelless_s or 0.0
        while True:
            await asyncio.sleep(min(SWEEP_EVERY_S, limit))
            now = asyncio.get_running_loop().time()
            for session in tuple(self.context.sessions):
                if not session.channels and now - session.channelless_since > limit:
                    session.listener.close(websocket.NO_CHANNEL, "No channel was joined")

    def _bound(
        self, serve: Callable[[web.Request, Context], Awaitable[web.StreamResponse]]
    ) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await serve(request, self.context)

        return handler


async def _ping(connection: Connection) -> None:
    await connection.execute("select 1")
