"""Reading the payload of a ``phx_join``, in every form that the hosted server tolerates.

An invalid field is replaced by its default, so a join is never refused for its payload alone.
"""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass
from typing import Any

from parley.realtime.protocol.messages import Json
from parley.realtime.protocol.serializer import dumps

OPAQUE_KEY = "sb_"
REPLAY_LIMIT = 25
REPLAY_DEFAULT = 10


class RefusalError(Exception):
    """The join is refused. The text is sent as the ``reason`` of the reply."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A request for past broadcasts: the newest ``limit`` since ``since`` (epoch milliseconds)."""

    since: int
    limit: int


@dataclass(frozen=True, slots=True)
class JoinConfig:
    """What a client asked for when it joined."""

    ack: bool
    hears_itself: bool
    private: bool
    presence: bool
    presence_key: str
    replication_ready: bool
    wants_replay: bool
    bindings: tuple[dict[str, Json], ...]
    """The entries for ``postgres_changes``, each with its integer ``id``, to be echoed."""
    is_old: bool
    """Whether the join has no ``config``. Its topic is then ``schema:table:filter``, and changes
    are sent as events of the names INSERT, UPDATE and DELETE."""
    waits_for_changes_s: float | None
    """How long the reply may wait for the table subscription; None: it does not wait."""
    replay: Json
    """The value of ``broadcast.replay`` as it came; ``replay_of`` checks it."""


def read_config(payload: Json, topic: str) -> JoinConfig:
    """Read a join's payload, which may be any JSON. ``topic`` has no prefix."""
    is_old = isinstance(payload, dict) and "config" not in payload
    config = _object(_object(payload).get("config"))
    broadcast = _object(config.get("broadcast"))
    presence = _object(config.get("presence"))
    options = _object(config.get("postgres_changes_options"))
    return JoinConfig(
        ack=_flag(broadcast.get("ack")),
        hears_itself=_flag(broadcast.get("self")),
        private=_flag(config.get("private")),
        presence=_flag(presence.get("enabled")),
        presence_key=_key(presence.get("key")),
        replication_ready=_flag(broadcast.get("replication_ready")),
        wants_replay="replay" in broadcast,
        bindings=_bindings([_table(topic)] if is_old else config.get("postgres_changes")),
        is_old=is_old,
        waits_for_changes_s=_wait(options) if _flag(options.get("wait")) else None,
        replay=broadcast.get("replay"),
    )


def token_of(payload: Json, api_token: str) -> str:
    """Pick the token of a join: ``user_token``, else ``access_token``, else the API key's.

    An opaque key (``sb_…``) stands for the API key's token.
    """
    fields = _object(payload)
    named = fields.get("access_token") or fields.get("user_token")
    if isinstance(named, str) and named.startswith(OPAQUE_KEY):
        return api_token
    for name in ("user_token", "access_token"):
        if isinstance(fields.get(name), str):
            return str(fields[name])
    return api_token


def replay_of(config: JoinConfig, topic: str, *, may_read: bool) -> Replay | None:
    """Return the request for past broadcasts, or None; raises ``RefusalError``.

    ``may_read`` says whether the caller may read broadcasts on the topic.
    """
    if not config.wants_replay:
        return None
    if not config.private:
        raise RefusalError("UnableToReplayMessages: Replay is not allowed for public channels")
    if not may_read:
        raise RefusalError(unauthorized(topic))
    if not isinstance(config.replay, dict):
        return None
    since = config.replay.get("since")
    limit = config.replay.get("limit")
    since = 0 if since is None else since
    limit = REPLAY_DEFAULT if limit is None else limit
    if type(since) is not int or type(limit) is not int:
        raise RefusalError("UnableToReplayMessages: Replay params are not valid")
    return Replay(since, min(max(limit, 1), REPLAY_LIMIT))


def unauthorized(topic: str) -> str:
    """The ``reason`` sent to callers that may not read a topic."""
    return f"Unauthorized: {no_permission(topic)}"


def no_permission(topic: str) -> str:
    """The sentence, without its code, for callers that may not read a topic."""
    return f"You do not have permissions to read from this Channel topic: {topic}"


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _flag(value: Json) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _key(value: Json) -> str:
    if isinstance(value, str) and value:
        return value
    if value is None or value == "":
        return str(uuid.uuid1())
    return dumps(value)


def _wait(options: dict[str, Json]) -> float:
    milliseconds = options.get("timeout")
    if type(milliseconds) is not int or milliseconds <= 0:
        milliseconds = 15_000
    return min(milliseconds, 20_000) / 1000


def _table(topic: str) -> dict[str, Json]:
    """The table that the topic of an old join names."""
    return dict(zip(("schema", "table", "filter"), topic.split(":", 2), strict=False))


def _bindings(value: Json) -> tuple[dict[str, Any], ...]:
    """Give each entry an id, the same for equal entries; drop entries that are no objects."""
    entries = value if isinstance(value, list) else []
    return tuple(
        entry | {"id": zlib.crc32(dumps(entry).encode()) or 1}
        for entry in entries
        if isinstance(entry, dict)
    )
