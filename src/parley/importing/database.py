"""Writes an import: all of its files in one transaction, or nothing."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from parley.errors import ImportRefused
from parley.importing.fault import SHOWN, Fault, refusal
from parley.importing.files import ImportedRoom, names_in, read_files
from parley.report import Report

AT_ONCE = 500
ITEM = re.compile(r"Item (\d+) \(client_id [^)]*\): (.*)")
"""How the sentences of import_messages about one item begin."""


@dataclass(frozen=True)
class Imported:
    """How many rooms and messages the files hold, and how many messages were new."""

    rooms: int
    messages: int
    added: int


def import_files(url: str, paths: list[Path], report: Report) -> Imported:
    """Import JSONL files; messages that were imported before stay as they are.

    ``url`` is that of the role postgres. Raises ImportRefused, which names up to 20 lines of files
    that stop the import; nothing is written then.
    """
    rooms, faults = read_files(paths, report)
    if len(faults) >= SHOWN:
        raise refusal(faults)
    total = sum(len(room.lines) for room in rooms)
    names = names_in(rooms)
    done = added = 0

    def written(count: int) -> None:
        nonlocal done
        done += count
        report("Messages", done, total)

    with connected(url) as connection:
        connection.execute("set local statement_timeout = 0")
        for room in rooms:
            before = count_messages(connection, room)
            faults += islice(faults_of(connection, room, names, written), SHOWN - len(faults))
            if len(faults) >= SHOWN:
                break
            added += count_messages(connection, room) - before
        if faults:
            raise refusal(faults)
    return Imported(len(rooms), total, added)


def connected(url: str) -> psycopg.Connection[Any]:
    """Connect. Raises ImportRefused."""
    try:
        return psycopg.connect(url)
    except psycopg.Error as error:
        raise ImportRefused(
            f"The database cannot be reached: {said_by(error)}",
            "Check the URL; 'parley status' prints that of the local stack.",
        ) from error


def faults_of(
    connection: psycopg.Connection[Any],
    room: ImportedRoom,
    names: dict[UUID, str],
    written: Callable[[int], None],
) -> Iterator[Fault]:
    """Import a room, and yield what is wrong with the lines that are refused."""
    lines = room.in_order()
    senders = list(dict.fromkeys(line.sender_id for _, line in lines))
    arguments = (room.id, room.name, senders)
    error = refused(connection, "select chat_private.open_imported_room(%s, %s, %s)", arguments)
    if error is not None:
        yield Fault(room.named_at, said_by(error), hint_of(error))
        return
    waiting = deque(lines[at : at + AT_ONCE] for at in range(0, len(lines), AT_ONCE))
    while waiting:
        portion = waiting.popleft()
        items = json.dumps([line.to_item(names[line.sender_id]) for _, line in portion])
        error = refused(connection, "select chat.import_messages(%s, %s)", (room.id, items))
        if error is None:
            written(len(portion))
            continue
        said = said_by(error)
        item = ITEM.fullmatch(said)
        if item:
            place = int(item[1]) - 1
            yield Fault(portion[place][0], item[2])
            waiting.appendleft(portion[:place] + portion[place + 1 :])
        elif is_ours(error):
            # The room is at fault, so its first line is named.
            yield Fault(portion[0][0], said, hint_of(error))
            return
        elif len(portion) == 1:
            yield Fault(portion[0][0], said)
        else:
            # A rule of the adopter or a limit of Postgres: halve the lines to find the faulty one.
            middle = len(portion) // 2
            waiting.extendleft((portion[middle:], portion[:middle]))


def refused(
    connection: psycopg.Connection[Any], statement: str, arguments: tuple[object, ...]
) -> psycopg.Error | None:
    """Run a statement that may be refused; then only what it did itself is undone.

    Raises ImportRefused when the database has trouble of its own.
    """
    try:
        with connection.transaction():
            connection.execute(statement.encode(), arguments)
    except psycopg.errors.ProgramLimitExceeded as error:
        # The statement is too large, perhaps because of one line of hundreds of megabytes.
        return error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise ImportRefused(
            f"The database stopped the import: {said_by(error)}",
            "Nothing was imported. Import again when it is well.",
        ) from error
    except psycopg.Error as error:
        return error
    return None


def count_messages(connection: psycopg.Connection[Any], room: ImportedRoom) -> int:
    """Return the seq of the newest message of a room."""
    found = connection.execute("select last_seq from chat.rooms where id = %s", (room.id,))
    return int((found.fetchone() or (0,))[0])


def said_by(error: psycopg.Error) -> str:
    """Return the sentence of the database's error, or another one where it has none.

    Our functions say it in the detail; elsewhere the detail may be a row with all of its values.
    """
    detail = error.diag.message_detail if is_ours(error) else None
    said = detail or error.diag.message_primary or str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def hint_of(error: psycopg.Error) -> str:
    """Return the remedy of the database, where it has one."""
    return error.diag.message_hint or ""


def is_ours(error: psycopg.Error) -> bool:
    """Say whether a function of Parley refused something."""
    return (error.sqlstate or "").startswith("PT")
