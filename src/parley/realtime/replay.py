"""Hearing again what was broadcast on a private topic (REALTIME 2.5).

Read as the server, not under the member's policies: who may listen may hear what was kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from parley.realtime.authorize import ProbeError
from parley.realtime.channel import Channel
from parley.realtime.database import Connection, Database
from parley.realtime.join import RefusalError, Replay
from parley.realtime.messages import Message, Outbound, UserMessage
from parley.realtime.queries import query
from parley.realtime.serializer import loads


@dataclass(frozen=True, slots=True)
class StoredBroadcast:
    """A row of `realtime.messages`: JSON text, or bytes."""

    id: str
    event: str
    payload: str | None
    binary_payload: bytes | None

    def message(self, channel: Channel) -> Outbound:
        """As a channel gets it: marked as replayed; JSON goes as a text frame."""
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
    """An ``Archive`` over `realtime.messages`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replay(self, topic: str, wish: Replay) -> Sequence[StoredBroadcast]:
        """The newest messages since a moment, oldest first; raises ``RefusalError``."""

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
