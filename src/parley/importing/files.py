"""Reads JSONL files whole before anything is written, and names every bad line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from parley.errors import ImportRefused
from parley.importing.line import Line
from parley.seeding.report import Report

SHOWN = 20


@dataclass
class ImportedRoom:
    """The lines of one room, each with its file and line number."""

    id: UUID
    name: str = ""
    lines: list[tuple[str, Line]] = field(default_factory=list)

    def in_order(self) -> list[tuple[str, Line]]:
        """Return the lines in the order of time; those of one moment as they stand."""
        return sorted(self.lines, key=lambda entry: entry[1].sent_at)


def read_files(paths: list[Path], report: Report) -> list[ImportedRoom]:
    """Return the rooms of some files, by id. Raises ImportRefused with the bad lines."""
    rooms: dict[UUID, ImportedRoom] = {}
    faults: list[str] = []
    for path in paths:
        texts = read_lines(path)
        for number, text in enumerate(texts, 1):
            if number % 1000 == 0 or number == len(texts):
                report(f"Read {path.name}", number, len(texts))
            if not text.strip():
                continue
            try:
                line = Line.model_validate_json(text)
            except ValidationError as error:
                faults.append(f"{path}:{number}: {explain(error)}")
                continue
            room = rooms.setdefault(line.room_id, ImportedRoom(line.room_id))
            room.name = room.name or line.room_name
            room.lines.append((f"{path}:{number}", line))
    for room in rooms.values():
        faults += faults_of(room)
    if faults:
        raise ImportRefused(
            "\n".join(faults[:SHOWN])
            + (f"\nand {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""),
            "Nothing was imported. Correct these lines, then import again.",
        )
    return [rooms[room_id] for room_id in sorted(rooms)]


def names_in(rooms: list[ImportedRoom]) -> dict[UUID, str]:
    """Return what people are called; one line that says it is enough."""
    names: dict[UUID, str] = {}
    for room in rooms:
        for _, line in room.lines:
            names[line.sender_id] = names.get(line.sender_id) or line.sender_name
    return names


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file. Raises ImportRefused."""
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ImportRefused(
            f"{path} cannot be read: {error}.", "An import is a JSONL file in UTF-8."
        ) from error


def faults_of(room: ImportedRoom) -> list[str]:
    """Say what does not go together in a room."""
    faults, seen = [], set()
    for where, line in room.in_order():
        if line.id in seen:
            faults.append(f"{where}: id: there is another message {line.id} in the room")
        if line.reply_to is not None and line.reply_to not in seen:
            faults.append(f"{where}: reply_to: there is no earlier message {line.reply_to}")
        if holds_nul(line.model_dump(mode="json")):
            faults.append(f"{where}: Postgres cannot keep the character NUL")
        if not line.body.strip() and not line.attachments:
            faults.append(f"{where}: body: it is empty and there is no attachment")
        seen.add(line.id)
    return faults


def holds_nul(value: object) -> bool:
    """Say whether there is a NUL anywhere in some JSON."""
    if isinstance(value, dict):
        return any(holds_nul(entry) for pair in value.items() for entry in pair)
    if isinstance(value, list):
        return any(holds_nul(entry) for entry in value)
    return isinstance(value, str) and "\0" in value


def explain(error: ValidationError) -> str:
    """Return the first thing that is wrong with a line."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(word) for word in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])
