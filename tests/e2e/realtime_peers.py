"""The unmodified clients, made alike: supabase-py, and supabase-js with both wire forms."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from realtime import AsyncRealtimeChannel, RealtimeChannelOptions, RealtimeSubscribeStates
from supabase import AsyncClient, acreate_client

from tests.e2e.realtime_stack import KEY, Host
from tests.until import until

CLIENTS = ("python", "javascript 1.0.0", "javascript 2.0.0")
SCRIPT = Path(__file__).with_name("realtime_client.mjs")


class Peer(Protocol):
    """One client. ``heard`` has what its listeners were called with, in order."""

    name: str
    heard: list[dict[str, Any]]

    async def authenticate(self, token: str) -> None:
        """Use a user's token from here on."""

    async def join(
        self, topic: str, tables: Sequence[dict[str, Any]] = (), **config: Any
    ) -> dict[str, Any]:
        """Subscribe; returns the first status and its message."""

    async def send(self, topic: str, event: str, payload: Any) -> Any:
        """Broadcast over the socket."""

    async def send_http(self, topic: str, event: str, payload: Any) -> None:
        """Broadcast over the single REST endpoint."""

    async def track(self, topic: str, payload: dict[str, Any]) -> None:
        """Track presence."""

    async def untrack(self, topic: str) -> None:
        """Stop tracking."""

    async def leave(self, topic: str) -> None:
        """Unsubscribe."""

    async def close(self) -> None:
        """Disconnect."""


def of_kind(peer: Peer, kind: str) -> list[dict[str, Any]]:
    """What a peer heard of one kind."""
    return [each for each in peer.heard if each["heard"] == kind]


async def hears(
    peer: Peer, kind: str, count: int = 1, within_s: float = 10.0
) -> list[dict[str, Any]]:
    """Wait until a peer has heard so many of one kind."""
    await until(lambda: len(of_kind(peer, kind)) >= count, within_s)
    return of_kind(peer, kind)


class PythonPeer:
    """supabase-py."""

    name = "python"

    def __init__(self, client: AsyncClient) -> None:
        self.heard: list[dict[str, Any]] = []
        self._client = client
        self._channels: dict[str, AsyncRealtimeChannel] = {}

    async def authenticate(self, token: str) -> None:
        """See ``Peer``."""
        await self._client.realtime.set_auth(token)

    async def join(
        self, topic: str, tables: Sequence[dict[str, Any]] = (), **config: Any
    ) -> dict[str, Any]:
        """See ``Peer``."""
        options = cast(RealtimeChannelOptions, {"config": config})
        channel = self._client.realtime.channel(topic, options)
        self._channels[topic] = channel
        channel.on_broadcast("*", self._tell("broadcast", topic))
        channel.on_system(self._tell_system(topic))
        if config.get("presence", {}).get("enabled"):
            channel.on_presence_sync(lambda: self._sync(topic, channel))
        for table in tables:
            entry = dict(table)
            event = entry.pop("event")
            channel.on_postgres_changes(
                event, lambda change: self._change(topic, dict(change)), **entry
            )
        statuses: list[dict[str, Any]] = []

        def on_status(status: RealtimeSubscribeStates, error: Exception | None) -> None:
            told = {"status": status.value, "message": str(error) if error else None}
            statuses.append(told)
            self.heard.append({"heard": "status", "topic": topic, **told})

        await channel.subscribe(on_status)
        await until(lambda: bool(statuses))
        return statuses[0]

    async def send(self, topic: str, event: str, payload: Any) -> Any:
        """See ``Peer``."""
        await self._channels[topic].send_broadcast(event, payload)
        return "ok"

    async def send_http(self, topic: str, event: str, payload: Any) -> None:
        """See ``Peer``."""
        await self._channels[topic].http_send(event, payload)

    async def track(self, topic: str, payload: dict[str, Any]) -> None:
        """See ``Peer``."""
        await self._channels[topic].track(payload)

    async def untrack(self, topic: str) -> None:
        """See ``Peer``."""
        await self._channels[topic].untrack()

    async def leave(self, topic: str) -> None:
        """See ``Peer``."""
        await self._channels[topic].unsubscribe()

    async def close(self) -> None:
        """See ``Peer``."""
        await self._client.realtime.close()

    def _tell(self, kind: str, topic: str) -> Callable[[Any], None]:
        return lambda payload: self.heard.append({"heard": kind, "topic": topic, **dict(payload)})

    def _tell_system(self, topic: str) -> Callable[[Any], None]:
        return lambda payload: self.heard.append(
            {"heard": "system", "topic": topic, **payload.model_dump()}
        )

    def _sync(self, topic: str, channel: AsyncRealtimeChannel) -> None:
        state = {key: list(metas) for key, metas in channel.presence_state().items()}
        self.heard.append({"heard": "sync", "topic": topic, "state": state})

    def _change(self, topic: str, payload: dict[str, Any]) -> None:
        data = payload["data"]
        change = {
            "schema": data["schema"],
            "table": data["table"],
            "eventType": data["type"],
            "commit_timestamp": data["commit_timestamp"],
            "new": data.get("record") or {},
            "old": data.get("old_record") or {},
            "errors": data["errors"],
        }
        self.heard.append({"heard": "change", "topic": topic, "change": change})


class JavaScriptPeer:
    """supabase-js under Node."""

    def __init__(self, name: str, node: asyncio.subprocess.Process) -> None:
        self.name = name
        self.heard: list[dict[str, Any]] = []
        self._node = node
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reader = asyncio.create_task(self._read())

    async def authenticate(self, token: str) -> None:
        """See ``Peer``."""
        await self._ask("setAuth", token=token)

    async def join(
        self, topic: str, tables: Sequence[dict[str, Any]] = (), **config: Any
    ) -> dict[str, Any]:
        """See ``Peer``."""
        answer = await self._ask("join", topic=topic, tables=list(tables), config=config)
        return dict(answer)

    async def send(self, topic: str, event: str, payload: Any) -> Any:
        """See ``Peer``."""
        return await self._ask("send", topic=topic, event=event, payload=_sendable(payload))

    async def send_http(self, topic: str, event: str, payload: Any) -> None:
        """See ``Peer``."""
        answer = await self._ask("sendHttp", topic=topic, event=event, payload=_sendable(payload))
        if not answer["success"]:
            raise RuntimeError(str(answer))

    async def send_unjoined(self, topic: str, event: str, payload: Any, **config: Any) -> Any:
        """Broadcast without a socket: over the batch endpoint."""
        return await self._ask(
            "sendUnjoined", topic=topic, event=event, payload=payload, config=config
        )

    async def track(self, topic: str, payload: dict[str, Any]) -> None:
        """See ``Peer``."""
        assert await self._ask("track", topic=topic, payload=payload) == "ok"

    async def untrack(self, topic: str) -> None:
        """See ``Peer``."""
        assert await self._ask("untrack", topic=topic) == "ok"

    async def leave(self, topic: str) -> None:
        """See ``Peer``."""
        await self._ask("leave", topic=topic)

    async def close(self) -> None:
        """See ``Peer``."""
        if self._node.stdin is not None:
            self._node.stdin.close()
        async with asyncio.timeout(5):
            await self._node.wait()
        await self._reader

    async def _ask(self, action: str, **parameters: Any) -> Any:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "do": action, **parameters})
        assert self._node.stdin is not None
        self._node.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(20):
            return await answer

    async def _read(self) -> None:
        assert self._node.stdout is not None
        async for line in self._node.stdout:
            told = json.loads(line)
            if "id" not in told:
                if "payload" in told and isinstance(told["payload"], dict):
                    told["payload"] = _received(told["payload"])
                self.heard.append(told)
            elif "error" in told:
                self._answers[told["id"]].set_exception(RuntimeError(told["error"]))
            else:
                self._answers[told["id"]].set_result(told["result"])


def _sendable(payload: Any) -> Any:
    return {"hex": payload.hex()} if isinstance(payload, bytes) else payload


def _received(payload: dict[str, Any]) -> Any:
    return bytes.fromhex(payload["hex"]) if set(payload) == {"hex"} else payload


async def connect(name: str, host: Host, key: str = KEY) -> PythonPeer | JavaScriptPeer:
    """Make a client of one of ``CLIENTS``."""
    if name == "python":
        return PythonPeer(await acreate_client(host.url, key))
    node = await asyncio.create_subprocess_exec(
        "node",
        "--no-warnings",
        str(SCRIPT),
        host.url,
        key,
        name.split()[1],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    return JavaScriptPeer(name, node)


@asynccontextmanager
async def peers(host: Host, *names: str) -> AsyncIterator[list[PythonPeer | JavaScriptPeer]]:
    """Several clients for a while."""
    made = await asyncio.gather(*(connect(each, host) for each in names))
    try:
        yield list(made)
    finally:
        await asyncio.gather(*(each.close() for each in made))
