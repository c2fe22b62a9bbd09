"""Realtime over plain HTTP: broadcasts in batches and one by one, ping, metrics.

Status codes and bodies: REALTIME 2.2 and 2.3.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import web

from parley.realtime.authorize import Caller, ProbeError, x_headers
from parley.realtime.context import Context
from parley.realtime.limits import TICK_S, TICKS
from parley.realtime.messages import PREFIX, Json, Message, UserMessage
from parley.realtime.serializer import FrameError, dumps, loads
from parley.realtime.tokens import TokenError

Endpoint: TypeAlias = Callable[[web.Request, Context], Awaitable[web.Response]]

BLANK, INVALID = "can't be blank", "is invalid"
TOO_LARGE = "Payload size exceeds tenant limit"
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
    """A request that is not accepted, with the answer it gets."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


async def batch(request: web.Request, context: Context) -> web.Response:
    """Broadcast ``{"messages": [...]}``. What the caller may not send is left out silently."""
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
    """Broadcast the body as the payload of one event: JSON, or bytes."""
    caller = _caller(request, context)
    content_type = request.content_type if "Content-Type" in request.headers else JSON_TYPE
    if content_type not in (JSON_TYPE, BYTES_TYPE):
        text = f"Unsupported content type, use {JSON_TYPE} or {BYTES_TYPE}"
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
    """Say that the server lives."""
    return web.json_response({"message": "Success"}, headers=CORS)


async def metrics(_request: web.Request, context: Context) -> web.Response:
    """The server's metrics, with the WAL's lag as it is now."""
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
    """Who sends, by ``Authorization: Bearer`` or else the API key."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    key = bearer if scheme.lower() == "bearer" else ""
    token = context.tokens.resolve(key or request.headers.get("apikey", ""))
    try:
        claims = context.tokens.verify(token, context.clock())
    except TokenError as error:
        raise AnswerError(401, {"message": "Unauthorized"}) from error
    return Caller(claims, x_headers(request.headers))


async def _read(request: web.Request, context: Context) -> bytes:
    """The body, up to what a frame may have; the application's own limit does not matter here."""
    try:
        return await request.clone(client_max_size=context.limits.frame_bytes).read()
    except web.HTTPRequestEntityTooLarge as error:
        raise AnswerError(413, {"message": "The body is too large"}) from error


def _json(body: bytes) -> Json:
    try:
        return loads(body)
    except FrameError as error:
        raise AnswerError(400, {"message": "The body is not JSON"}) from error


async def _refused(context: Context, caller: Caller, topic: str) -> str | None:
    """Return why a private topic may not be written to, or None; asked anew each time."""
    try:
        with context.timed("write"):
            answers = await context.authorizer.writable(caller, topic, ["broadcast"])
    except ProbeError as error:
        return error.slug
    return None if answers["broadcast"] else "unauthorized"


def _count(context: Context, count: int) -> None:
    """Count messages against the rate, or refuse them."""
    meter = context.meters.events
    if meter.limit is not None:
        if meter.exceeded:
            raise AnswerError(429, {"message": "You have exceeded your rate limit"})
        if count > (meter.limit - meter.average) * TICK_S * TICKS:
            text = "Too many messages to broadcast, please reduce the batch size"
            raise AnswerError(429, {"message": text})
    meter.add(count)


def _errors(message: Json, context: Context) -> dict[str, list[str]]:
    """What is wrong with one message of a batch; empty when nothing is."""
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
