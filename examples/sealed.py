"""An opaque room: every message is encrypted for each device of the room, and only those read it.

    export SUPABASE_URL=… SUPABASE_KEY=… EMAIL=… PASSWORD=…
    python examples/sealed.py ROOM_ID
    python examples/sealed.py ROOM_ID "Meet me at six"

Prints the fingerprint of this device, those of devices that are new to it, and what was said. The
copy and the private key are in the folder SEALED_HOME, else in this one. docs/encryption.md says
what this keeps from whom, and what it does not.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

import parley
from parley.client import Chat
from parley.models import DeviceKey, DevicesPlatform
from parley.sync.view_models import Message


def fingerprint(public_key: str) -> str:
    """What two people compare by voice, or on each other's screens."""
    digits = sha256(b64decode(public_key)).hexdigest()[:32]
    return " ".join(digits[at : at + 4] for at in range(0, 32, 4))


class KeyChanged(Exception):
    """A device has another public key than the one it had when it was first seen."""


class Sealer:
    """The keys of one device: its own, and those of others as it first saw them."""

    def __init__(self, chat: Chat, file: Path) -> None:
        self._chat = chat
        self._file = file
        kept = json.loads(file.read_text()) if file.exists() else {}
        self._private = PrivateKey(
            b64decode(kept["private"]) if kept else bytes(PrivateKey.generate())
        )
        self.known: dict[str, str] = kept.get("known", {})
        self.public = b64encode(bytes(self._private.public_key)).decode()

    async def start(self, platform: DevicesPlatform = "web") -> None:
        """Keep the private key, then tell others the public one."""
        self._keep()
        await self._chat.api.register_device(self._chat.device_id, platform, public_key=self.public)

    async def meet(self, room_id: UUID) -> list[DeviceKey]:
        """Learn the keys of a room; returns the devices that are new here.

        A key that is another one than before is never taken: somebody stands in between, or the app
        was installed anew under the old device id.
        """
        keys = await self._keys_of(room_id)
        new = [key for key in keys if key.device_id not in self.known]
        for key in keys:
            now = f"{key.user_id} {key.public_key}"
            if self.known.setdefault(key.device_id, now) != now:
                raise KeyChanged(
                    f"The key of device {key.device_id} changed. Compare fingerprints."
                )
        self._keep()
        return new

    async def seal(self, room_id: UUID, text: str) -> str:
        """Encrypt a text for every device that is in the room now."""
        await self.meet(room_id)
        inner = json.dumps([str(room_id), text], ensure_ascii=False).encode()
        sealed = {
            key.device_id: b64encode(self._box(key.public_key).encrypt(inner)).decode()
            for key in await self._keys_of(room_id)
        }
        return json.dumps({"from": self._chat.device_id, "for": sealed}, separators=(",", ":"))

    def open(self, message: Message) -> str | None:
        """Return what a message says; None where this device cannot know it, or trust it."""
        try:
            body = json.loads(message.body)
            user_id, _, key = self.known[body["from"]].partition(" ")
            inner = b64decode(body["for"][self._chat.device_id])
            room_id, text = json.loads(self._box(key).decrypt(inner))
        except (CryptoError, KeyError, TypeError, ValueError):
            return None
        is_genuine = (user_id, room_id) == (str(message.sender_id), str(message.room_id))
        return str(text) if is_genuine else None

    async def _keys_of(self, room_id: UUID) -> list[DeviceKey]:
        keys: list[DeviceKey] = []
        after: dict[str, str] | None = None
        while page := await self._chat.api.list_device_keys(room_id, after=after, page_size=200):
            keys += page
            after = {"user_id": str(page[-1].user_id), "device_id": page[-1].device_id}
        return keys

    def _box(self, public_key: str) -> Box:
        return Box(self._private, PublicKey(b64decode(public_key)))

    def _keep(self) -> None:
        kept = {"private": b64encode(bytes(self._private)).decode(), "known": self.known}
        self._file.touch(0o600)
        self._file.write_text(json.dumps(kept))


async def main(room_id: UUID, *said: str) -> None:
    """Say something, if there is anything to say; print the fingerprints and the room."""
    home = Path(os.environ.get("SEALED_HOME", "."))
    url, key = os.environ["SUPABASE_URL"], os.environ["SUPABASE_KEY"]
    async with parley.connect(url, key, store=home / "sealed.db") as chat:
        if not chat.is_signed_in:
            await chat.sign_in(os.environ["EMAIL"], os.environ["PASSWORD"])
        sealer = Sealer(chat, home / "sealed.json")
        await sealer.start()
        await chat.sync()
        print("this device", fingerprint(sealer.public))
        for device in await sealer.meet(room_id):
            if device.device_id != chat.device_id:
                print(f"new device of {device.user_id}", fingerprint(device.public_key))
        for text in said:
            await chat.send(room_id, await sealer.seal(room_id, text))
        await chat.settled()
        for message in chat.messages(room_id):
            if message.kind == "text":
                print(message.seq, sealer.open(message) or "(not for this device)")


if __name__ == "__main__":
    try:
        asyncio.run(main(UUID(sys.argv[1]), *sys.argv[2:]))
    except KeyChanged as error:
        sys.exit(str(error))
