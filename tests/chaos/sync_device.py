"""One device in a process of its own, forked from one that has imported everything already.

It does random actions until it is told to rest, and is meant to be killed at any moment. What it
did is in its journal before the action is called done, what the server acknowledged as well.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from parley.client import Chat
from parley.errors import ParleyError, SignInRequired
from parley.sync import background as background_module
from parley.sync import engine as engine_module
from parley.sync import listener as listener_module
from parley.sync import replica as replica_module
from parley.sync import sender as sender_module
from parley.sync import table_puller as table_puller_module
from parley.sync import table_rows as table_rows_module
from parley.sync.change import Change
from parley.sync.cursor import CopyCursor
from parley.sync.queries import query
from parley.sync.steps import Step
from parley.sync.store import Store
from tests.chaos.sync_tables import TABLES

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
        apply_what_joins = Store.apply_step

        def apply_step(self: Store, step: Step) -> list[Change] | None:
            cursor = self.cursor()
            have = cursor.user if step.room_id is None else cursor.rooms.get(step.room_id)
            if have is None or have >= step.to:
                return None
            return apply_what_joins(self, replace(step, begin=have))

        Store.apply_step = apply_step  # type: ignore[method-assign]
    elif mistake == "no_timer":
        engine_module.Engine.want_heads = lambda self: None  # type: ignore[method-assign]
        engine_module.Engine.glance = lambda self: None  # type: ignore[method-assign]
    elif mistake == "gone_for_all":
        # A row that moved is told as gone to its owner before, after the new one brought it.
        vars(table_rows_module)["query"] = lambda name: (
            "delete from table_rows where number = ? and tag = ? and ? <> '' returning row"
            if name == "table_row_over"
            else query(name)
        )
    elif mistake == "created_at":
        apply_all = Store.apply_answer

        def apply_newer(self: Store, asked: CopyCursor, answer: Any) -> list[Change]:
            newest = {
                row["room_id"]: row["at"]
                for row in self.all(
                    "select room_id, max(row ->> 'created_at') as at from messages group by 1"
                )
            }
            for step in answer.rooms:
                rows = step.rows.get("messages")
                if rows and step.begin is not None:
                    at = newest.get(step.room_id, "")
                    step.rows["messages"] = [r for r in rows if r["created_at"] > at]
            return apply_all(self, asked, answer)

        Store.apply_answer = apply_newer  # type: ignore[method-assign]


async def keep_journal(chat: Chat, journal: Journal) -> None:
    """Note every send that the server acknowledged. Raises SignInRequired on a lost session."""
    noted: set[str] = set()
    async for change in chat.changes():
        sent = [
            (each.client_id, each.room_id)
            for each in chat.outbox()
            if each.kind == "send" and each.state == "sent"
        ]
        for row in change.raw.get("messages", ()):
            if row["sender_id"] == str(chat.me):
                sent.append((row["client_id"], row["room_id"]))
        for client_id, room_id in sent:
            if client_id is not None and client_id not in noted:
                journal.note("acknowledged", client_id, room_id)
                noted.add(client_id)


async def do_action(
    chat: Chat, rng: random.Random, journal: Journal, who: str, public: list[str]
) -> None:
    """One random thing that somebody does."""
    rooms = chat.rooms(page_size=20)
    if not rooms or rng.random() < 0.02:
        with suppress(ParleyError):
            await chat.join_room(rng.choice(public))
        return
    room_id = rng.choice(rooms).id
    shown = chat.messages(room_id, page_size=30)
    mine = [each for each in shown if each.sender_id == chat.me and each.kind == "text"]
    numbered = [each for each in shown if each.seq is not None and each.kind == "text"]
    action = rng.choices(
        ("send", "burst", "edit", "delete", "react", "unreact", "mark", "older", "look", "leave"),
        (50, 5, 10, 5, 10, 5, 8, 2, 2, 1),
    )[0]
    with suppress(ParleyError):
        if action in ("send", "burst"):
            for _ in range(1 if action == "send" else 10):
                message = await chat.send(room_id, f"{who} {rng.randrange(10**9)}")
                journal.note("did", str(message.client_id), str(room_id))
        elif action == "edit" and mine:
            await chat.edit(rng.choice(mine), f"edited {rng.randrange(10**9)}")
        elif action == "delete" and mine:
            await chat.delete(rng.choice(mine))
        elif action == "react" and numbered:
            await chat.react(rng.choice(numbered), rng.choice(EMOJI))
        elif action == "unreact" and numbered:
            await chat.unreact(rng.choice(numbered), rng.choice(EMOJI))
        elif action == "mark":
            await chat.mark_read(room_id)
        elif action == "look":
            chat.open(room_id)
        elif action == "older":
            await chat.older(room_id, 40)
        elif action == "leave" and who != "Ann":
            await chat.leave_room(room_id)


async def read_commands(pipe: Connection, work: asyncio.Event, clock: Clock) -> None:
    """``work``, ``rest`` and ``skew SECONDS``, a line each, until the pipe is closed."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    commands = os.fdopen(os.dup(pipe.fileno()), "rb")
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), commands)
    while line := await reader.readline():
        word, *rest = line.decode().split()
        if word == "skew":
            clock.skew_s = float(rest[0])
        elif word == "work":
            work.set()
        else:
            work.clear()


async def main(options: dict[str, Any], pipe: Connection) -> None:
    """Be a device until killed, or until the pipe of its commands is closed."""
    rng = random.Random(options["seed"])
    journal = Journal(options["journal"])
    vars(background_module)["heads_wait_s"] = lambda *_: rng.uniform(0.5, 1.5)
    if options.get("naive"):
        be_naive(options["naive"])
    listener_module.PULSE_S = 3.0
    listener_module.RETRY_MOST_S = 1.0
    engine_module.RETRY_MOST_S = 1.0
    sender_module.RETRY_MOST_S = 1.0
    table_puller_module.RETRY_MOST_S = 1.0
    clock = Clock(options["skew_s"])
    time.time = clock.time
    work = asyncio.Event()
    replica_module.REST_S = 0.3
    read_url = options.get("read_url")
    store = Path(options["store"])
    async with Chat(
        options["url"], options["key"], store, read_url=read_url, tables=TABLES
    ) as chat:
        while not chat.is_signed_in:
            try:
                await chat.sign_in(options["email"], options["password"])
            except ParleyError:
                await asyncio.sleep(0.2)
        commands = asyncio.create_task(read_commands(pipe, work, clock))
        following = asyncio.create_task(keep_journal(chat, journal))
        while not commands.done():
            if following.done():
                with suppress(SignInRequired):
                    await following
                while not chat.is_signed_in:
                    await asyncio.sleep(0.2)
                    with suppress(ParleyError):
                        await chat.sign_in(options["email"], options["password"])
                following = asyncio.create_task(keep_journal(chat, journal))
            waiting = asyncio.create_task(work.wait())
            until = [waiting, commands, following]
            await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done() and work.is_set():
                await do_action(chat, rng, journal, options["name"], options["public"])
                await asyncio.sleep(rng.expovariate(1 / options["every_s"]))
            else:
                waiting.cancel()


def live(options: dict[str, Any], log: str, pipe: Connection) -> None:
    """Be a device in this process, with a log of its own."""
    with Path(log).open("ab") as file:
        os.dup2(file.fileno(), 2)
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s {os.getpid()} %(message)s")
    asyncio.run(main(options, pipe))
