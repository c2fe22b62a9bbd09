"""Replay: sending past broadcasts of a private topic to a channel that joins.

The server reads them with its own rights. Policies decide whether a person may join the topic;
once joined, that person gets all of its past broadcasts, whenever they were sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from parley.realtime.channel.channel import Channel
from parley.realtime.database.errors import ProbeError
from parley.realtime.database.pool import Connection, DatabasePool
from parley.realtime.database.queries import query
from parley.realtime.protocol.join_payload import RefusalError, Replay
from parley.realtime.protocol.messages import Message, Outbound, UserMessage
from parley.realtime.protocol.serializer import loads


@dataclass(frozen=True, slots=True)
class StoredBroadcast:
    """A row of `realtime.messages`; its payload is JSON text or bytes."""

    id: str
    event: str
    payload: str | None
    binary_payload: bytes | None

    def message(self, channel: Channel) -> Outbound:
        """The message for a channel, marked as replayed. JSON becomes a text frame."""
        meta = {"id": self.id, "replayed": True}
        if self.binary_payload is not None:
            return UserMessage(
                channel.topic, self.event, self.binary_payload, is_json=False, meta=meta
            )
        payload = {
            "event": self.event,
            "payload": loads(self.payload or "null"),
            "type": "broadcast",
            "meta": meta,
        }
        return Message(channel.topic, "broadcast", payload, None, channel.join_ref)


class MessageArchive:
    """The ``Archive`` that reads `realtime.messages`."""

    def __init__(self, database: DatabasePool) -> None:
        self._database = database

    async def replay(self, topic: str, wish: Replay) -> Sequence[StoredBroadcast]:
        """Return the broadcasts that ``wish`` asks for, oldest first; raises ``RefusalError``."""

        async def fetch(connection: Connection) -> list[StoredBroadcast]:
            parameters = {"topic": topic, "since": wish.since, "limit": wish.limit}
            cursor = await connection.execute(query("replay"), parameters)
            return [StoredBroadcast(**row) for row in await cursor.fetchall()]

        try:
            return await self._database.run(fetch)
        except (psycopg.Error, ProbeError) as error:
            raise RefusalError(
                "UnableToReplayMessages: Realtime was unable to replay messages"
            ) from error
