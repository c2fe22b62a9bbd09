"""The HTTP endpoints: broadcasts in batches and one by one, ping, metrics.

Status codes and bodies are listed in docs/realtime-protocol.md.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import web

from parley.realtime.authorization.rights import Caller, x_headers
from parley.realtime.authorization.tokens import TokenError
from parley.realtime.channel.context import Context
from parley.realtime.database.errors import ProbeError
from parley.realtime.protocol.messages import PREFIX, Json, Message, UserMessage
from parley.realtime.protocol.serializer import FrameError, dumps, loads
from parley.realtime.rate_counters import TICK_S, TICKS

Endpoint: TypeAlias = Callable[[web.Request, Context], Awaitable[web.Response]]

BLANK, INVALID = "can't be blank", "is invalid"
TOO_LARGE = "Payload size exceeds tenant limit"
BODY_S = 60.0
"""How long the body of a request may take."""
JSON_TYPE, BYTES_TYPE = "application/json", "application/octet-stream"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, apikey, content-type, x-client-info",
}


def add_routes(app: web.Application, context: Context, prefixes: Iterable[str]) -> None:
    """Serve the endpoints under each prefix."""
    for prefix in prefixes:
        for path, endpoint in (
            ("/api/broadcast", batch),
            ("/api/broadcast/{topic}/events/{event}", single),
        ):
            app.router.add_post(prefix + path, _bound(endpoint, context))
            app.router.add_route("OPTIONS", prefix + path, _preflight)
        app.router.add_get(prefix + "/api/ping", _bound(ping, context))
    app.router.add_get("/realtime/v1/metrics", _bound(metrics, context))


class AnswerError(Exception):
    """The request is refused, with this status and body."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


async def batch(request: web.Request, context: Context) -> web.Response:
    """Broadcast ``{"messages": [...]}``. Messages that the caller may not send are left out."""
    caller = _caller(request, context)
    body = _json(await _read(request, context))
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages:
        raise AnswerError(422, {"errors": {"messages": [BLANK]}})
    errors = [_errors(each, context) for each in messages]
    if any(errors):
        raise AnswerError(422, {"errors": {"messages": errors}})
    _count(context, len(messages))
    may_write: dict[str, bool] = {}
    for each in messages:
        topic, private = each["topic"], each.get("private") is True
        if private and topic not in may_write:
            may_write[topic] = await _refused(context, caller, topic) is None
        if not private or may_write[topic]:
            payload = {"event": each["event"], "payload": each["payload"], "type": "broadcast"}
            if each.get("id") is not None:
                payload["meta"] = {"id": each["id"]}
            context.hub.broadcast((topic, private), Message(PREFIX + topic, "broadcast", payload))
    return _answer(context, 202)


async def single(request: web.Request, context: Context) -> web.Response:
    """Broadcast one event. The body is its payload, JSON or bytes."""
    caller = _caller(request, context)
    content_type = request.content_type if "Content-Type" in request.headers else JSON_TYPE
    if content_type not in (JSON_TYPE, BYTES_TYPE):
        text = f"Unsupported Media Type. Use {JSON_TYPE} or {BYTES_TYPE}"
        raise AnswerError(415, {"error": text})
    body, is_json = await _read(request, context), content_type == JSON_TYPE
    if is_json:
        _json(body)
    if len(body) > context.limits.payload_bytes:
        raise AnswerError(422, {"errors": {"payload": [TOO_LARGE]}})
    topic, event = request.match_info["topic"], request.match_info["event"]
    private = request.query.get("private", "").lower() == "true"
    slug = await _refused(context, caller, topic) if private else None
    if slug == "unauthorized":
        raise AnswerError(403, {"message": "Unauthorized"})
    if slug is not None:
        raise AnswerError(422, {"message": slug})
    _count(context, 1)
    message = UserMessage(PREFIX + topic, event, body, is_json)
    context.hub.broadcast((topic, private), message)
    return _answer(context, 202)


async def ping(_request: web.Request, _context: Context) -> web.Response:
    """Answer that the server is running."""
    return web.json_response({"message": "Success"}, headers=CORS)


async def metrics(_request: web.Request, context: Context) -> web.Response:
    """The server's metrics. How far reading the WAL lags behind is measured at this moment."""
    lag = await context.wal.lag()
    context.metrics.lag.set(float("nan") if lag is None else lag)
    return web.Response(
        body=context.metrics.text(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def _preflight(_request: web.Request) -> web.Response:
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=CORS)


def _bound(
    endpoint: Endpoint, context: Context
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        try:
            return await endpoint(request, context)
        except AnswerError as error:
            return _answer(context, error.status, error.body)

    return handler


def _caller(request: web.Request, context: Context) -> Caller:
    """The sender, from ``Authorization: Bearer`` or else from the API key."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    key = bearer if scheme.lower() == "bearer" else ""
    token = context.tokens.resolve(key or request.headers.get("apikey", ""))
    try:
        claims = context.tokens.verify(token, context.clock())
    except TokenError as error:
        raise AnswerError(401, {"message": "Unauthorized"}) from error
    return Caller(claims, x_headers(request.headers))


async def _read(request: web.Request, context: Context) -> bytes:
    """The body, up to the size of a frame; aiohttp's own limit is not applied."""
    try:
        async with asyncio.timeout(BODY_S):
            return await request.clone(client_max_size=context.limits.frame_bytes).read()
    except web.HTTPRequestEntityTooLarge as error:
        raise AnswerError(413, {"message": "The body is too large"}) from error
    except TimeoutError as error:
        raise AnswerError(408, {"message": "The body comes too slowly"}) from error


def _json(body: bytes) -> Json:
    try:
        return loads(body)
    except FrameError as error:
        raise AnswerError(400, {"message": "The body is not JSON"}) from error


async def _refused(context: Context, caller: Caller, topic: str) -> str | None:
    """Return why the caller may not write to a private topic, or None. Nothing is cached."""
    try:
        with context.timed("write"):
            answers = await context.authorizer.writable(caller, topic, ["broadcast"])
    except ProbeError as error:
        return error.slug
    return None if answers["broadcast"] else "unauthorized"


def _count(context: Context, count: int) -> None:
    """Count messages; refuse them when the server's rate is used up."""
    meter = context.meters.events
    if meter.limit is not None:
        if meter.exceeded:
            raise AnswerError(429, {"message": "You have exceeded your rate limit"})
        if count > (meter.limit - meter.average) * TICK_S * TICKS:
            text = "Too many messages to broadcast, please reduce the batch size"
            raise AnswerError(429, {"message": text})
    meter.add(count)


def _errors(message: Json, context: Context) -> dict[str, list[str]]:
    """The errors of one message of a batch, by field; empty for a valid message."""
    if not isinstance(message, dict):
        return {"topic": [BLANK], "event": [BLANK], "payload": [BLANK]}
    errors: dict[str, list[str]] = {}
    for name, kind in (("topic", str), ("event", str), ("payload", dict)):
        value = message.get(name)
        if value is None or value == "":
            errors[name] = [BLANK]
        elif not isinstance(value, kind):
            errors[name] = [INVALID]
    if not isinstance(message.get("private", False), bool):
        errors["private"] = [INVALID]
    if message.get("id") is not None and not _is_uuid(message["id"]):
        errors["id"] = [INVALID]
    if not errors and len(dumps(message["payload"]).encode()) > context.limits.payload_bytes:
        errors["payload"] = [TOO_LARGE]
    return errors


def _is_uuid(value: Json) -> bool:
    try:
        uuid.UUID(value)
    except (ValueError, AttributeError, TypeError):
        return False
    return True


def _answer(context: Context, status: int, body: Json = None) -> web.Response:
    headers = dict(CORS)
    meter = context.meters.events
    if meter.limit is not None:
        headers["x-rate-rolling"] = f"{meter.average:.2f}"
        headers["x-rate-limit"] = f"{meter.limit:g}"
        headers["x-rate-limit-remaining"] = f"{max(0.0, meter.limit - meter.average):.2f}"
    if body is None:
        return web.Response(status=status, headers=headers)
    return web.json_response(body, status=status, headers=headers)
