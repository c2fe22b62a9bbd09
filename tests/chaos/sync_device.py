"""One device in a process of its own: ``python -m tests.chaos.sync_device`` with JSON on stdin.

It does random deeds until it is told to rest, and is meant to be killed at any moment. What it
did is in its journal before the deed is called done, what the server acknowledged as well.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from parley import client as client_module
from parley.client import Chat
from parley.errors import ParleyError
from parley.sync import engine as engine_module
from parley.sync import live as live_module
from parley.sync import sender as sender_module
from parley.sync.change import Change
from parley.sync.engine import Engine
from parley.sync.outbox import Item, Stamped
from parley.sync.sender import Sender
from parley.sync.steps import Step
from parley.sync.store import Store

EMOJI = ("👍", "❤️", "😂")
NAIVE = ("created_at", "no_from", "no_timer", "pull_once")
"""The mistakes that the checker must notice."""


class Journal:
    """Lines that survive kill -9: what was done, and what was acknowledged."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def note(self, what: str, client_id: str, room_id: str) -> None:
        """Write one line."""
        os.write(self._file, f"{what} {client_id} {room_id}\n".encode())


def be_naive(mistake: str) -> None:
    """Make the client as others make theirs."""
    if mistake == "no_from":

        def apply_step(self: Store, step: Step) -> list[Change] | None:
            with self.database.transaction():
                if step.rows is None or (self._rev(step.room_id) or step.to) >= step.to:
                    return None
                return self._put(step)

        Store.apply_step = apply_step  # type: ignore[method-assign]
    elif mistake == "no_timer":
        engine_module.Engine.want_heads = lambda self: None  # type: ignore[method-assign]
    elif mistake == "pull_once":

        async def catch_up(self: Engine) -> None:
            async with self._pulling:
                if self._last_heads is None:
                    await self._compare_heads()
                self._heads_wanted = False
                for _ in range(2):
                    behind = self._behind()
                    # Rooms that are new are fetched; what was told is pulled once.
                    if behind:
                        self._told.clear()
                        await self._pull(behind)

        Engine.catch_up = catch_up  # type: ignore[method-assign]
    elif mistake == "created_at":
        pull = Engine._pull

        async def pull_newer(self: Engine, behind: Any) -> bool:
            before = {
                row["room_id"]: row["at"]
                for row in self._store.database.all(
                    "select room_id, max(row ->> 'created_at') as at from messages group by 1"
                )
            }
            apply = self._store.apply_answer

            def apply_newer(asked: Any, answer: Any) -> list[Change]:
                for step in answer.rooms:
                    rows = step.rows.get("messages")
                    if rows and step.begin is not None:
                        at = before.get(step.room_id, "")
                        step.rows["messages"] = [r for r in rows if r["created_at"] > at]
                return apply(asked, answer)

            self._store.apply_answer = apply_newer  # type: ignore[method-assign]
            try:
                return await pull(self, behind)
            finally:
                self._store.apply_answer = apply  # type: ignore[method-assign]

        Engine._pull = pull_newer  # type: ignore[method-assign]


def keep_journal(journal: Journal) -> None:
    """Note every send that the server acknowledged."""
    accept = Sender._accept

    def noting(self: Sender, item: Item, row: Stamped | None) -> None:
        if item.kind == "send":
            journal.note("acknowledged", str(item.client_id), item.room_id)
        accept(self, item, row)

    Sender._accept = noting  # type: ignore[method-assign]


async def do_deed(chat: Chat, chance: random.Random, journal: Journal, who: str) -> None:
    """One random thing that somebody does."""
    rooms = chat.rooms(page_size=20)
    if not rooms:
        return
    room_id = chance.choice(rooms).id
    shown = chat.messages(room_id, page_size=30)
    mine = [each for each in shown if each.sender_id == chat.me and each.kind == "text"]
    numbered = [each for each in shown if each.seq is not None and each.kind == "text"]
    deed = chance.choices(
        ("send", "burst", "edit", "delete", "react", "unreact", "read", "older", "look"),
        (50, 5, 10, 5, 10, 5, 8, 1, 2),
    )[0]
    with suppress(ParleyError):
        if deed in ("send", "burst"):
            for _ in range(1 if deed == "send" else 10):
                message = await chat.send(room_id, f"{who} {chance.randrange(10**9)}")
                journal.note("did", str(message.client_id), str(room_id))
        elif deed == "edit" and mine:
            await chat.edit(chance.choice(mine), f"edited {chance.randrange(10**9)}")
        elif deed == "delete" and mine:
            await chat.delete(chance.choice(mine))
        elif deed == "react" and numbered:
            await chat.react(chance.choice(numbered), chance.choice(EMOJI))
        elif deed == "unreact" and numbered:
            await chat.unreact(chance.choice(numbered), chance.choice(EMOJI))
        elif deed == "read":
            await chat.mark_read(room_id)
        elif deed == "look":
            chat.open(room_id)
        elif deed == "older":
            await chat.older(room_id, 40)


async def read_commands(work: asyncio.Event) -> None:
    """``work`` and ``rest``, a line each, until the pipe is closed."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.strip() == b"work":
            work.set()
        else:
            work.clear()
            sys.stdout.write("resting\n")
            sys.stdout.flush()


async def main(options: dict[str, Any]) -> None:
    """Be a device until killed, or until stdin is closed."""
    chance = random.Random(options["seed"])
    journal = Journal(options["journal"])
    keep_journal(journal)
    vars(client_module)["heads_wait_s"] = lambda *_: chance.uniform(0.5, 1.5)
    if options.get("naive"):
        be_naive(options["naive"])
    live_module.PULSE_S = 3.0
    live_module.RETRY_MOST_S = 1.0
    engine_module.RETRY_MOST_S = 1.0
    sender_module.RETRY_MOST_S = 1.0
    real, skew = time.time, options["skew_s"]
    time.time = lambda: real() + skew
    work = asyncio.Event()
    async with Chat(options["url"], options["key"], Path(options["store"])) as chat:
        while not chat.is_signed_in:
            try:
                await chat.sign_in(options["email"], options["password"])
            except ParleyError:
                await asyncio.sleep(0.2)
        commands = asyncio.create_task(read_commands(work))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while not commands.done():
            assert chat._work is not None
            if chat._work.done():
                await chat._work
                while not chat.is_signed_in:
                    await asyncio.sleep(0.2)
                    with suppress(ParleyError):
                        await chat.sign_in(options["email"], options["password"])
            waiting = asyncio.create_task(work.wait())
            await asyncio.wait([waiting, commands], return_when=asyncio.FIRST_COMPLETED)
            if waiting.done() and work.is_set():
                await do_deed(chat, chance, journal, options["name"])
                await asyncio.sleep(chance.expovariate(1 / options["every_s"]))
            else:
                waiting.cancel()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR, format=f"%(asctime)s {os.getpid()} %(message)s")
    asyncio.run(main(json.loads(sys.argv[1])))
