"""The front door: one port for REST, Auth, Storage and Realtime, as a hosted project has it.

``python -m parley.stack.gateway --data DIR --lite-port N --functions-port N --replica-port N
--file-bytes N`` serves until it gets SIGTERM; a port of 0 means that there are no functions, or no
read replica, which has a port of its own. Only what is listed in ``application`` and ``reads`` can
be reached. Requests are bounded in their head, their body and their time, so that other requests go
on while somebody floods it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from parley.errors import PartFailed
from parley.realtime import PROFILES, Realtime, RealtimeSettings
from parley.stack.auth_admin import AuthAdmin
from parley.stack.chat_metrics import ChatMetrics
from parley.stack.connections import Connections, most_connections
from parley.stack.keys import Keys
from parley.stack.lite import shortest_password
from parley.stack.page import Page
from parley.stack.paths import FUNCTIONS
from parley.stack.port import HOST, listens
from parley.stack.postgres import answers
from parley.stack.proxy import away, functions_proxy, lite_proxy
from parley.stack.refusal import RequestRefusal
from parley.stack.state import State
from parley.stack.waker import Waker

LINE_BYTES = 16_384
"""The first line of a request, and each of its headers, as a hosted project has it."""
MOST_HEADERS = 100
IDLE_SECONDS = 30.0
"""How long a connection may take for the head of a request, and be kept without one."""
LINGER_SECONDS = 5.0
"""How long the rest of a refused body is read, so that the client sees the answer."""
CLOSE_SECONDS = 2.0
EXPOSED_HEADERS = (
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, "
    "Preference-Applied, Range-Unit, Retry-After, SB-Error-Code, X-Rate-Limit, "
    "X-Rate-Limit-Remaining, X-Rate-Rolling"
)

logger = logging.getLogger(__name__)


class Gateway:
    """The application behind the front door of one stack. Make it while an event loop runs."""

    def __init__(
        self,
        state: State,
        lite_port: int,
        functions_port: int,
        replica_port: int,
        file_bytes: int,
    ) -> None:
        self.state = state
        self.connections = Connections(most_connections())
        self.keys = Keys(state)
        self.proxy = lite_proxy(f"http://{HOST}:{lite_port}", file_bytes, self.keys.short_key)
        self.admin = AuthAdmin(state.admin_db_url, shortest_password(state), self.keys.role_of)
        self.metrics = ChatMetrics(state.db_url)
        self.page = Page(state)
        self.functions_port = functions_port
        self.functions = functions_proxy(f"http://{HOST}:{functions_port}")
        self.waker = Waker(state, "send-chat-push", "push")
        self.collector = Waker(state, "collect-chat-files", "files")
        self.replica_port = replica_port
        self.replica = lite_proxy(f"http://{HOST}:{replica_port}", 0, self.keys.short_key)
        self.realtime = Realtime(
            RealtimeSettings(
                database_url=state.admin_db_url,
                jwt_secret=state.jwt_secret,
                api_keys=state.role_tokens,
                profile=PROFILES[state.realtime],
            ),
            self.waker.wake,
        )

    def application(self) -> web.Application:
        """Return the application with all routes."""
        app = web.Application(middlewares=[self.connections.note_busy, answer_preflight])
        app.on_response_prepare.append(allow_any_origin)
        app.router.add_get("/health", self.health)
        app.router.add_get("/metrics", self.metrics.answer)
        self.page.add_routes(app)
        self.realtime.add_routes(app)
        app.router.add_route(
            "*",
            f"{FUNCTIONS}/{{path:.*}}",
            self.functions.handle if self.functions_port else refuse_function,
        )
        self.admin.add_routes(app)
        for service in ("rest", "auth", "storage"):
            app.router.add_route("*", f"/{service}/v1", self.proxy.handle)
            app.router.add_route("*", f"/{service}/v1/{{path:.*}}", self.proxy.handle)
        app.router.add_route("*", "/{path:.*}", refuse_path)
        return app

    def reads(self) -> web.Application:
        """Return the application of the read replica: functions and tables, for reading."""
        app = web.Application(middlewares=[self.connections.note_busy, answer_preflight])
        app.on_response_prepare.append(allow_any_origin)
        app.router.add_get("/rest/v1/{path:.*}", self.replica.handle)
        app.router.add_route("*", "/{path:.*}", refuse_path)
        return app

    async def health(self, _: web.Request) -> web.Response:
        """Answer 200 when every part behind the front door answers, else 503."""
        database, lite = await asyncio.gather(
            answers(self.state.admin_db_url), self.proxy.is_reachable()
        )
        parts = {"postgres": database, "lite": lite, "gateway": True}
        if self.functions_port:
            parts["functions"] = await listens(self.functions_port)
        if self.replica_port:
            parts["replica"] = await answers(self.state.replica_admin_db_url)
            parts["replica-lite"] = await listens(self.replica_port)
        return web.json_response(
            {
                "ready": all(parts.values()),
                "parts": {name: "ready" if up else "unreachable" for name, up in parts.items()},
            },
            status=200 if all(parts.values()) else 503,
        )

    async def serve(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        doors = {self.state.api_port: self.application()}
        if self.replica_port:
            doors[self.state.read_port] = self.reads()
        async with contextlib.AsyncExitStack() as end:
            for proxy in (self.functions, self.replica, self.proxy):
                end.push_async_callback(proxy.close)
            runners = {port: runner_of(application) for port, application in doors.items()}
            for runner in runners.values():
                end.push_async_callback(runner.cleanup)
            await self.realtime.start()
            end.push_async_callback(self.realtime.stop)
            for port, runner in runners.items():
                await runner.setup()
                listener = await asyncio.get_running_loop().create_server(
                    self.connections.limited(cast("web.Server", runner.server)),
                    HOST,
                    port,
                    reuse_address=True,
                )
                end.callback(listener.close)
                logger.info("listening on port %s", port)
            if self.functions_port:
                for waker in (self.waker, self.collector):
                    end.push_async_callback(waker.stop)
                    waker.start()
            await stop.wait()


def runner_of(application: web.Application) -> web.AppRunner:
    """Return what serves an application, with bounds for what a client may send and wait."""
    return web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=CLOSE_SECONDS,
        keepalive_timeout=IDLE_SECONDS,
        lingering_time=LINGER_SECONDS,
        max_line_size=LINE_BYTES,
        max_field_size=LINE_BYTES,
        max_headers=MOST_HEADERS,
        # Bodies are handed on as they are; taken apart, a small one could become a large one.
        auto_decompress=False,
    )


@web.middleware
async def answer_preflight(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer the preflight that browsers send before a request from another origin."""
    wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
    # As on a hosted project, an Edge Function answers preflight requests itself.
    if request.method != hdrs.METH_OPTIONS or wanted is None or is_of_function(request):
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


def is_of_function(request: web.Request) -> bool:
    """Say whether an Edge Function answers a request."""
    return request.path.startswith(f"{FUNCTIONS}/")


async def allow_any_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Let every origin read every answer but those of functions, as the hosted gateway does.

    The page is for its own origin alone, and says so.
    """
    if is_of_function(request) or "Cross-Origin-Resource-Policy" in response.headers:
        return
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED_HEADERS


async def refuse_path(_: web.Request) -> web.Response:
    """Answer that nothing is served at this path."""
    return RequestRefusal(404, "Nothing is served at this path.").answer


async def refuse_function(_: web.Request) -> web.Response:
    """Answer that this project has no Edge Functions."""
    return away("This project has no folder supabase/functions.")


async def serve(
    home: Path, lite_port: int, functions_port: int, replica_port: int, file_bytes: int
) -> None:
    """Serve the stack of a state folder. Raises PartFailed when there is none."""
    state = State.load(home)
    if state is None:
        raise PartFailed(f"There is no stack in {home}.", "Run 'parley up'.")
    await Gateway(state, lite_port, functions_port, replica_port, file_bytes).serve()


def is_not_the_clients(record: logging.LogRecord) -> bool:
    """Keep malformed requests out of the log.

    Their sender has been answered and may send many, and the log would quote them, keys included.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def main() -> None:
    """Serve the stack that the arguments name."""
    parser = argparse.ArgumentParser(prog="parley.stack.gateway")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--lite-port", type=int, required=True)
    parser.add_argument("--functions-port", type=int, default=0)
    parser.add_argument("--replica-port", type=int, default=0)
    parser.add_argument("--file-bytes", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("aiohttp.server").addFilter(is_not_the_clients)
    asyncio.run(
        serve(
            arguments.data,
            arguments.lite_port,
            arguments.functions_port,
            arguments.replica_port,
            arguments.file_bytes,
        )
    )


if __name__ == "__main__":
    main()
