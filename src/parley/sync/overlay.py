"""What was done here and the server has not stamped yet, laid over what it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from parley.sync.kinds import as_model
from parley.sync.outbox import UNREADABLE, Item
from parley.sync.view_models import Message


class Overlay:
    """The actions of one room, each ready for the message it is about."""

    def __init__(self, items: Iterable[Item], me: UUID) -> None:
        self._me = me
        self._sends: list[Item] = []
        self._by_seq: dict[int, list[Item]] = defaultdict(list)
        self._by_client_id: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            if item.kind == "send":
                self._sends.append(item)
            elif item.state not in ("pending", "sent"):
                continue
            elif item.seq is not None:
                self._by_seq[item.seq].append(item)
            elif item.client_id is not None:
                self._by_client_id[item.client_id].append(item)

    def on(self, message: Message) -> Message:
        """A message with the edits, the deletion and the reactions that are under way."""
        items = self._by_seq.get(message.seq, []) if message.seq is not None else []
        if message.sender_id == self._me:
            items = [*items, *self._by_client_id.get(str(message.client_id), ())]
        for item in sorted(items, key=lambda item: item.id):
            message = changed(message, item, self._me)
        return message

    def unnumbered(self) -> list[Message]:
        """The messages that are not in the copy yet, in the order they were sent."""
        return [self.on(draft(item, self._me)) for item in self._sends]


def changed(message: Message, item: Item, me: UUID) -> Message:
    """A message after one action."""
    at = datetime.fromisoformat(item.created_at)
    if item.kind == "edit":
        said = item.said
        update = {**said.model_dump(include={"mentions", "metadata"}, exclude_unset=True)}
        update |= {"body": said.body, "edited_at": at}
    elif item.kind == "delete":
        update = {"body": "", "deleted_at": at}
    elif item.kind in ("react", "unreact"):
        emoji = item.said.emoji
        people = {*message.reactions.get(emoji, ())} - {me}
        people |= {me} if item.kind == "react" else set()
        reactions = {**message.reactions, emoji: tuple(sorted(people))}
        update = {"reactions": {each: who for each, who in reactions.items() if who}}
    else:
        return message
    return message.model_copy(update=update)


def draft(item: Item, me: UUID) -> Message:
    """The message that a send makes: as the server answered, or as it was written."""
    if item.row is not None:
        message = Message.of(item.row)
    else:
        written = {"room_id": item.room_id, "sender_id": me, "client_id": item.client_id}
        written["created_at"] = item.created_at
        message = as_model(Message, {"body": "", **item.said.to_json(), **written})
    return message.model_copy(
        update={
            "state": item.state,
            "reason": item.reason,
            "item_id": item.id,
            "is_unreadable": item.reason == UNREADABLE,
        }
    )
