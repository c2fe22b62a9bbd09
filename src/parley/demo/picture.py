"""A picture on its way from one person to another, and who can fetch it."""

from __future__ import annotations

import zlib
from uuid import UUID, uuid4

from parley.demo.person import Person
from parley.wire import Jsonable

SIDE = 64
BLURHASH = "00OZZy"


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG file."""
    sum_of = zlib.crc32(name + content).to_bytes(4)
    return len(content).to_bytes(4) + name + content + sum_of


def sunset() -> bytes:
    """A PNG image of 64 by 64 pixels."""
    lines = b"".join(
        b"\0" + bytes((255, 200 - 2 * y, 40 + 3 * y)) * SIDE  # no filter, then the pixels
        for y in range(SIDE)
    )
    header = SIDE.to_bytes(4) + SIDE.to_bytes(4) + bytes((8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


async def send_picture(ann: Person, room_id: UUID) -> str:
    """Upload a picture and send a message that holds it; returns its path."""
    content = sunset()
    path = f"{room_id}/{uuid4()}/sunset.png"
    await ann.upload(path, content, "image/png")
    attachment: dict[str, Jsonable] = {
        "path": path,
        "name": "sunset.png",
        "mime_type": "image/png",
        "size": len(content),
        "width": SIDE,
        "height": SIDE,
        "blurhash": BLURHASH,
    }
    await ann.api.send_message(room_id, "Look outside!", uuid4(), attachments=[attachment])
    return path


async def arrives(bob: Person, room_id: UUID) -> bool:
    """Tell whether somebody hears of the picture and fetches the same bytes that were sent."""
    event = await bob.hears(lambda each: path_in(each.payload, room_id) is not None)
    path = None if event is None else path_in(event.payload, room_id)
    return path is not None and await bob.download(path) == sunset()


def path_in(payload: dict[str, object], room_id: UUID) -> str | None:
    """The path of the first file in a step of a room; None when there is none."""
    rows = payload.get("rows")
    if payload.get("room_id") != str(room_id) or not isinstance(rows, dict):
        return None
    for message in rows.get("messages", ()):
        for attachment in message["attachments"]:
            return str(attachment["path"])
    return None


async def check_picture(ann: Person, bob: Person, cat: Person, room_id: UUID) -> list[str]:
    """Send a picture while all three are in the room; list whom it did not reach."""
    await send_picture(ann, room_id)
    return [
        f"{each.name} did not get the picture."
        for each in (bob, cat)
        if not await arrives(each, room_id)
    ]


async def check_removed(bob: Person, cat: Person, room_id: UUID) -> list[str]:
    """List what is wrong with the picture once Cat was removed: Bob has it, and Cat has not."""
    paths = (path_in(each.payload, room_id) for each in bob.heard)
    path = next((each for each in paths if each is not None), "")
    problems = []
    if await bob.download(path) is None:
        problems.append("Bob cannot fetch the picture any more.")
    if await cat.download(path) is not None:
        problems.append("Cat was removed and still fetched the picture.")
    return problems
