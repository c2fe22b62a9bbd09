"""One line of an import: a message as another system had it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

NAMESPACE = UUID("6b1e5b1c-6d0f-5c57-9a52-8a6f3f2f7c11")

Key = Annotated[str, StringConstraints(min_length=1, max_length=500)]
"""An id of the other system; a uuid is used as it is."""


class Line(BaseModel):
    """A message. ``sent_at`` has a zone; ``reply_to`` is the ``id`` of an earlier one.

    Only the form of a line is checked here. The database checks the content of the message.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Key
    room: Key
    room_name: str = ""
    sender: Key
    sender_name: str = ""
    sent_at: AwareDatetime
    body: str
    reply_to: Key | None = None
    attachments: JsonValue = Field(default_factory=list)

    @property
    def room_id(self) -> UUID:
        """The room's id here."""
        return as_uuid("room", self.room)

    @property
    def sender_id(self) -> UUID:
        """The sender's id here."""
        return as_uuid("person", self.sender)

    @property
    def client_id(self) -> UUID:
        """The message's id here, the same at every import."""
        return as_uuid("message", f"{self.room}/{self.id}")

    def to_item(self, sender_name: str) -> dict[str, JsonValue]:
        """Return an item for ``import_messages``, with the name of the sender from any line."""
        reply_to = self.reply_to and str(as_uuid("message", f"{self.room}/{self.reply_to}"))
        return {
            "client_id": str(self.client_id),
            "sender_id": str(self.sender_id),
            "sender_name": sender_name,
            "body": self.body,
            "created_at": self.sent_at.isoformat(),
            "reply_to": reply_to,
            "attachments": self.attachments,
        }


def as_uuid(kind: str, key: str) -> UUID:
    """Return a key that is a uuid as it is, and for any other one always the same uuid."""
    try:
        return UUID(key)
    except ValueError:
        return uuid5(NAMESPACE, f"{kind}:{key}")
