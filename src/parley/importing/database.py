"""Writes an import: all of its files in one transaction, or nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from parley.errors import ImportRefused
from parley.importing.files import ImportedRoom, names_in, read_files
from parley.importing.line import Line
from parley.seeding.report import Report

AT_ONCE = 500


@dataclass(frozen=True)
class Imported:
    """How many rooms and messages the files hold, and how many messages were new."""

    rooms: int
    messages: int
    added: int


def import_files(url: str, paths: list[Path], report: Report) -> Imported:
    """Import JSONL files; what was imported before is left as it is.

    ``url`` is that of the role postgres. Raises ImportRefused; nothing is written then.
    """
    rooms = read_files(paths, report)
    total = sum(len(room.lines) for room in rooms)
    names = names_in(rooms)
    done = added = 0
    with connected(url) as connection:
        connection.execute("set local statement_timeout = 0")
        for room in rooms:
            open_room(connection, room)
            before = count_messages(connection, room)
            lines = room.in_order()
            for start in range(0, len(lines), AT_ONCE):
                portion = lines[start : start + AT_ONCE]
                write(connection, room, portion, names)
                done += len(portion)
                report("Messages", done, total)
            added += count_messages(connection, room) - before
    return Imported(len(rooms), total, added)


def connected(url: str) -> psycopg.Connection[Any]:
    """Connect. Raises ImportRefused."""
    try:
        return psycopg.connect(url)
    except psycopg.Error as error:
        raise ImportRefused(
            f"The database cannot be reached: {str(error).strip().splitlines()[0]}",
            "Check the URL; 'parley status' prints that of the local stack.",
        ) from error


def open_room(connection: psycopg.Connection[Any], room: ImportedRoom) -> None:
    """Open a room that is not there yet, with those of its senders who have an account."""
    senders = list(dict.fromkeys(line.sender_id for _, line in room.in_order()))
    try:
        connection.execute(
            "select chat_private.open_imported_room(%s, %s, %s)", (room.id, room.name, senders)
        )
    except psycopg.Error as error:
        raise refusal(error, room.lines[0][0]) from error


def write(
    connection: psycopg.Connection[Any],
    room: ImportedRoom,
    portion: list[tuple[str, Line]],
    names: dict[UUID, str],
) -> None:
    """Import some messages of a room."""
    items = json.dumps([line.to_item(names[line.sender_id]) for _, line in portion])
    try:
        connection.execute("select chat.import_messages(%s, %s)", (room.id, items))
    except psycopg.Error as error:
        raise refusal(error, f"{portion[0][0]} to {portion[-1][0]}") from error


def count_messages(connection: psycopg.Connection[Any], room: ImportedRoom) -> int:
    """Return the seq of the newest message of a room."""
    found = connection.execute("select last_seq from chat.rooms where id = %s", (room.id,))
    return int((found.fetchone() or (0,))[0])


def refusal(error: psycopg.Error, where: str) -> ImportRefused:
    """Return what the database said about some lines."""
    said = error.diag.message_detail or error.diag.message_primary or str(error)
    return ImportRefused(
        f"{where}: {said}",
        f"Nothing was imported. {error.diag.message_hint or 'Correct it, then import again.'}",
    )
