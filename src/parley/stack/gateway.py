"""The front door: one port for REST, Auth, Storage and Realtime, as a hosted project has it.

``python -m parley.stack.gateway --data DIR --lite-port N`` serves until it gets SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
from aiohttp import hdrs, web

from parley.errors import PartFailed
from parley.realtime import PROFILES, Realtime, RealtimeSettings
from parley.stack.port import HOST
from parley.stack.proxy import Proxy, away
from parley.stack.state import State

PROBE_SECONDS = 3
CLOSE_SECONDS = 2.0
EXPOSED_HEADERS = (
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, "
    "Preference-Applied, Range-Unit, Retry-After, SB-Error-Code, X-Rate-Limit, "
    "X-Rate-Limit-Remaining, X-Rate-Rolling"
)

logger = logging.getLogger(__name__)


class Gateway:
    """The application behind the front door of one stack; made while the loop runs."""

    def __init__(self, state: State, lite_port: int) -> None:
        self.state = state
        self.proxy = Proxy(f"http://{HOST}:{lite_port}")
        self.realtime = Realtime(
            RealtimeSettings(
                database_url=state.admin_db_url,
                jwt_secret=state.jwt_secret,
                api_keys=state.role_tokens,
                profile=PROFILES[state.realtime],
            )
        )

    def application(self) -> web.Application:
        """Return the application with all routes."""
        app = web.Application(middlewares=[answer_preflight])
        app.on_response_prepare.append(allow_any_origin)
        app.router.add_get("/health", self.health)
        self.realtime.add_routes(app)
        app.router.add_route("*", "/functions/v1/{path:.*}", refuse_function)
        for service in ("rest", "auth", "storage"):
            app.router.add_route("*", f"/{service}/v1", self.proxy.handle)
            app.router.add_route("*", f"/{service}/v1/{{path:.*}}", self.proxy.handle)
        return app

    async def health(self, _: web.Request) -> web.Response:
        """Answer 200 when every part behind the front door answers, else 503."""
        database, lite = await asyncio.gather(self.database_answers(), self.proxy.is_reachable())
        parts = {"postgres": database, "lite": lite, "gateway": True}
        return web.json_response(
            {
                "ready": all(parts.values()),
                "parts": {name: "ready" if up else "unreachable" for name, up in parts.items()},
            },
            status=200 if all(parts.values()) else 503,
        )

    async def database_answers(self) -> bool:
        """Say whether Postgres takes connections."""
        try:
            connection = await psycopg.AsyncConnection.connect(
                self.state.admin_db_url, connect_timeout=PROBE_SECONDS
            )
        except psycopg.OperationalError:
            return False
        await connection.close()
        return True

    async def serve(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=CLOSE_SECONDS)
        await self.realtime.start()
        try:
            await runner.setup()
            await web.TCPSite(runner, HOST, self.state.api_port).start()
            logger.info("listening on %s", self.state.api_url)
            await stop.wait()
        finally:
            await self.realtime.stop()
            await runner.cleanup()
            await self.proxy.close()


@web.middleware
async def answer_preflight(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer what browsers ask before a request from another origin."""
    wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
    if request.method != hdrs.METH_OPTIONS or wanted is None:
        return await handler(request)
    return web.Response(
        status=204,
        headers={
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS",
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: request.headers.get(
                hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "*"
            ),
            hdrs.ACCESS_CONTROL_MAX_AGE: "3600",
        },
    )


async def allow_any_origin(_: web.Request, response: web.StreamResponse) -> None:
    """Let every origin read every answer, as the hosted gateway does."""
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED_HEADERS


async def refuse_function(_: web.Request) -> web.Response:
    """Say that there are no edge functions here."""
    return away("This stack serves no edge functions.")


async def serve(home: Path, lite_port: int) -> None:
    """Serve the stack of a state folder. Raises PartFailed when there is none."""
    state = State.load(home)
    if state is None:
        raise PartFailed(f"There is no stack in {home}.", "Run 'parley up'.")
    await Gateway(state, lite_port).serve()


def main() -> None:
    """Serve the stack that the arguments name."""
    parser = argparse.ArgumentParser(prog="parley.stack.gateway")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--lite-port", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    asyncio.run(serve(arguments.data, arguments.lite_port))


if __name__ == "__main__":
    main()
