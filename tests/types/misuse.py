"""Wrong uses of the generated code. Each ignored error must be one, or mypy complains."""

from __future__ import annotations

from uuid import UUID, uuid4

from parley.api import ChatApi
from parley.api_sync import SyncChatApi
from parley.events import Changes, Cursor
from parley.models import MessagesRow, RoomsRow


async def misuse(chat: ChatApi, room: RoomsRow, message: MessagesRow) -> None:
    """Call, read and write in ways that the schema does not allow."""
    await chat.send_mesage(room.id, "Hi", uuid4())  # type: ignore[attr-defined]
    await chat.send_message("general", "Hi", uuid4())  # type: ignore[arg-type]
    await chat.send_message(room.id, "Hi")  # type: ignore[call-arg]
    await chat.send_message(room.id, "Hi", uuid4(), 4)  # type: ignore[call-arg]
    await chat.send_message(room.id, "Hi", uuid4(), reply_to="4")  # type: ignore[arg-type]
    await chat.send_message(room.id, "Hi", uuid4(), mentions=["Bob"])  # type: ignore[list-item]
    await chat.set_member_role(room.id, uuid4(), "boss")  # type: ignore[arg-type]
    await chat.create_room("Lisbon", history="none")  # type: ignore[arg-type]
    await chat.pull_changes({"user": 1})  # type: ignore[arg-type]
    await chat.pull_changes(Cursor(user="1"))  # type: ignore[arg-type]

    rooms = await chat.list_rooms()
    assert rooms[0].last_message.body  # type: ignore[union-attr]
    assert rooms[0].room.naem  # type: ignore[attr-defined]
    changes: list[Changes] = await chat.pull_changes(Cursor())  # type: ignore[assignment]
    assert changes

    message.body = "Something else"  # type: ignore[misc]
    label: str = message.sender_label  # type: ignore[assignment]
    assert label
    assert message.edited_at.year  # type: ignore[union-attr]
    assert message.kind != "sytem"  # type: ignore[comparison-overlap]


def misuse_sync(chat: SyncChatApi, room_id: UUID) -> MessagesRow:
    """Mix up the twins."""
    assert chat.send_message(room_id, "Hi", uuid4()).sequence  # type: ignore[attr-defined]
    return chat.list_messages(room_id)  # type: ignore[return-value]
