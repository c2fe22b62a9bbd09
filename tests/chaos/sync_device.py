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


class Journal:
    """Lines that survive kill -9: what was done, and what was acknowledged."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def note(self, what: str, client_id: str, room_id: str) -> None:
        """Write one line."""
        os.write(self._file, f"{what} {client_id} {room_id}\n".encode())


class Clock:
    """The clock of a device, which is wrong, and set anew now and then."""

    def __init__(self, skew_s: float) -> None:
        self.skew_s = skew_s
        self._real = time.time

    def time(self) -> float:
        """Unix seconds, as this device has them."""
        return self._real() + self.skew_s


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


async def do_deed(
    chat: Chat, chance: random.Random, journal: Journal, who: str, public: list[str]
) -> None:
    """One random thing that somebody does."""
    rooms = chat.rooms(page_size=20)
    if not rooms or chance.random() < 0.02:
        with suppress(ParleyError):
            await chat.join_room(chance.choice(public))
        return
    room_id = chance.choice(rooms).id
    shown = chat.messages(room_id, page_size=30)
    mine = [each for each in shown if each.sender_id == chat.me and each.kind == "text"]
    numbered = [each for each in shown if each.seq is not None and each.kind == "text"]
    deed = chance.choices(
        ("send", "burst", "edit", "delete", "react", "unreact", "mark", "older", "look", "leave"),
        (50, 5, 10, 5, 10, 5, 8, 2, 2, 1),
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
        elif deed == "mark":
            await chat.mark_read(room_id)
        elif deed == "look":
            chat.open(room_id)
        elif deed == "older":
            await chat.older(room_id, 40)
        elif deed == "leave" and who != "Ann":
            await chat.leave_room(room_id)


async def read_commands(work: asyncio.Event, clock: Clock) -> None:
    """``work``, ``rest`` and ``skew SECONDS``, a line each, until the pipe is closed."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        word, *rest = line.decode().split()
        if word == "skew":
            clock.skew_s = float(rest[0])
        elif word == "work":
            work.set()
        else:
            work.clear()


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
    clock = Clock(options["skew_s"])
    time.time = clock.time
    work = asyncio.Event()
    async with Chat(options["url"], options["key"], Path(options["store"])) as chat:
        while not chat.is_signed_in:
            try:
                await chat.sign_in(options["email"], options["password"])
            except ParleyError:
                await asyncio.sleep(0.2)
        commands = asyncio.create_task(read_commands(work, clock))
        while not commands.done():
            assert chat._work is not None
            if chat._work.done():
                await chat._work
                while not chat.is_signed_in:
                    await asyncio.sleep(0.2)
                    with suppress(ParleyError):
                        await chat.sign_in(options["email"], options["password"])
            waiting = asyncio.create_task(work.wait())
            until = [waiting, commands, chat._work]
            await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done() and work.is_set():
                await do_deed(chat, chance, journal, options["name"], options["public"])
                await asyncio.sleep(chance.expovariate(1 / options["every_s"]))
            else:
                waiting.cancel()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s {os.getpid()} %(message)s")
    asyncio.run(main(json.loads(sys.argv[1])))
