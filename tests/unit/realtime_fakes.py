"""A Realtime core without sockets and without a database."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt

from parley.realtime.authorization.rights import Answers, Caller, Extension
from parley.realtime.authorization.tokens import Tokens
from parley.realtime.channel.channel import Channel
from parley.realtime.channel.context import Context, Stored
from parley.realtime.database.errors import ProbeError
from parley.realtime.protocol.join_payload import Replay
from parley.realtime.protocol.serializer import V1_0, V2_0, Serializer
from parley.realtime.settings import Limits
from parley.realtime.socket.session import SocketSession

NOW = int(time.time())
SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"


def make_token(role: str | None = "authenticated", *, lasts_s: float = 3600, **claims: Any) -> str:
    """Sign a token that is good for ``lasts_s`` seconds."""
    values = {"role": role, "exp": NOW + lasts_s, **claims}
    return jwt.encode({name: each for name, each in values.items() if each is not None}, SECRET)


@dataclass
class Close:
    """A close frame that the server wanted to send."""

    code: int
    reason: str


@dataclass
class Listener:
    """A socket that remembers: ``frames`` as sent, ``heard`` as objects with the five fields."""

    serializer: Serializer = V2_0
    frames: list[str | bytes] = field(default_factory=list)
    closes: list[Close] = field(default_factory=list)

    def write(self, frame: bytes) -> None:
        """Take a WebSocket frame apart again."""
        opcode, size = frame[0], frame[1]
        skip = {126: 4, 127: 10}.get(size, 2)
        body = frame[skip:]
        assert opcode in (0x81, 0x82)
        self.frames.append(body.decode() if opcode == 0x81 else body)

    def close(self, code: int, reason: str) -> None:
        """Remember it."""
        self.closes.append(Close(code, reason))

    def take(self) -> list[Any]:
        """What was sent since the last time: lists for text of version 2, else as it is."""
        taken = [json.loads(each) if isinstance(each, str) else each for each in self.frames]
        self.frames.clear()
        return taken


class Authorizer:
    """Answers as it is told to; ``asked`` counts."""

    def __init__(self) -> None:
        self.read: dict[str, bool] = {"broadcast": True, "presence": True}
        self.write: dict[str, bool] = {"broadcast": True, "presence": True}
        self.error: ProbeError | None = None
        self.asked: list[tuple[str, str, tuple[str, ...], str]] = []

    async def readable(
        self, caller: Caller, topic: str, extensions: Sequence[Extension]
    ) -> Answers:
        """Say what was set."""
        return self._answer("read", self.read, caller, topic, extensions)

    async def writable(
        self, caller: Caller, topic: str, extensions: Sequence[Extension]
    ) -> Answers:
        """Say what was set."""
        return self._answer("write", self.write, caller, topic, extensions)

    def _answer(
        self,
        verb: str,
        answers: Mapping[str, bool],
        caller: Caller,
        topic: str,
        extensions: Sequence[Extension],
    ) -> Answers:
        self.asked.append((verb, topic, tuple(extensions), caller.claims.sub))
        if self.error is not None:
            raise self.error
        return {name: answers[name] for name in extensions}


class Archive:
    """Gives back ``stored``, after ``meanwhile`` has happened."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self.wishes: list[Replay] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def replay(self, topic: str, wish: Replay) -> Sequence[Stored]:
        """Say what was set."""
        self.wishes.append(wish)
        self.meanwhile()
        return self.stored


class Wal:
    """A reader that is ready when it is told to be."""

    def __init__(self) -> None:
        self.ready = True
        self.wanted = 0

    def want(self) -> None:
        """Count."""
        self.wanted += 1

    async def lag(self) -> float | None:
        """Nothing waits."""
        return 0.0


class Tables:
    """Watches nothing; ``refusal`` says why, ``error`` fails."""

    def __init__(self) -> None:
        self.refusal: str | None = None
        self.error: ProbeError | None = None
        self.watched: list[Channel] = []

    async def subscribe(self, channel: Channel) -> str | None:
        """Say what was set."""
        if self.error is not None:
            raise self.error
        if self.refusal is None:
            self.watched.append(channel)
        return self.refusal

    def unsubscribe(self, channel: Channel) -> None:
        """Forget."""
        if channel in self.watched:
            self.watched.remove(channel)


class Core:
    """A context with fakes around it, and a clock that can be set."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.authorizer, self.archive = Authorizer(), Archive()
        self.wal, self.tables = Wal(), Tables()
        self.database_error: ProbeError | None = None
        self.now = float(NOW)
        self.context = Context(
            tokens=Tokens(SECRET, {"sb_publishable_x": make_token("anon")}),
            limits=limits or Limits(),
            authorizer=self.authorizer,
            archive=self.archive,
            wal=self.wal,
            tables=self.tables,
            reach_database=self._reach_database,
            clock=lambda: self.now,
        )

    async def _reach_database(self) -> None:
        if self.database_error is not None:
            raise self.database_error

    def connect(self, serializer: Serializer = V2_0, token: str = "") -> Client:
        """Open a socket."""
        return Client(self, Listener(serializer), token or make_token("anon"))


class Client:
    """One socket and what it sends."""

    def __init__(self, core: Core, listener: Listener, token: str) -> None:
        self.listener = listener
        self.session = SocketSession(core.context, listener, token, {"x-test": "1"})
        self._refs = 0

    async def push(
        self, topic: str, event: str, payload: Any, *, ref: Any = "", join_ref: Any = ""
    ) -> list[Any]:
        """Send a push in this socket's form; returns what came back at once."""
        self._refs += 1
        ref = str(self._refs) if ref == "" else ref
        if self.listener.serializer is V1_0:
            fields = {"topic": topic, "event": event, "payload": payload, "ref": ref}
            if join_ref != "":
                fields["join_ref"] = join_ref
            frame = json.dumps(fields)
        else:
            frame = json.dumps([None if join_ref == "" else join_ref, ref, topic, event, payload])
        await self.session.receive(frame)
        return self.listener.take()

    async def join(
        self, topic: str = "realtime:room", *, join_ref: Any = "j1", **config: Any
    ) -> list[Any]:
        """Join; ``access_token`` goes beside the config, everything else into it."""
        payload: dict[str, Any] = {"config": config}
        if "access_token" in config:
            payload["access_token"] = config.pop("access_token")
        return await self.push(topic, "phx_join", payload, ref=join_ref, join_ref=join_ref)

    def take(self) -> list[Any]:
        """What came since."""
        return self.listener.take()
