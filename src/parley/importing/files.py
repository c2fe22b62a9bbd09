"""Reads JSONL files whole before anything is written, and names every line that is no message."""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from parley.errors import ImportRefused
from parley.importing.fault import Fault
from parley.importing.line import Line
from parley.report import Report


@dataclass
class ImportedRoom:
    """The lines of one room, each with its file and line number."""

    id: UUID
    name: str = ""
    named_at: str = ""
    lines: list[tuple[str, Line]] = field(default_factory=list)

    def add(self, where: str, line: Line) -> None:
        """Take a line. The first one that names the room is where its name is from."""
        if not self.name and (line.room_name or not self.lines):
            self.name, self.named_at = line.room_name, where
        self.lines.append((where, line))

    def in_order(self) -> list[tuple[str, Line]]:
        """Return the lines in the order of time; those of one moment as they stand."""
        return sorted(self.lines, key=lambda entry: entry[1].sent_at)


def read_files(paths: list[Path], report: Report) -> tuple[list[ImportedRoom], list[Fault]]:
    """Return the rooms of some files, by id, and the lines that cannot be used.

    Raises ImportRefused when a file cannot be read at all.
    """
    rooms: dict[UUID, ImportedRoom] = {}
    faults: list[Fault] = []
    for path in paths:
        texts = read_lines(path)
        for number, text in enumerate(texts, 1):
            if number % 1000 == 0 or number == len(texts):
                report(f"Read {path.name}", number, len(texts))
            if not text.strip():
                continue
            where = f"{path}:{number}"
            try:
                line = Line.model_validate_json(text)
            except ValidationError as error:
                faults.append(Fault(where, explain(error)))
                continue
            if holds_nul(line.model_dump(mode="json")):
                faults.append(Fault(where, "Postgres cannot keep the character NUL."))
                continue
            rooms.setdefault(line.room_id, ImportedRoom(line.room_id)).add(where, line)
    for room in rooms.values():
        faults += drop_doubles(room)
    return [rooms[room_id] for room_id in sorted(rooms)], faults


def names_in(rooms: list[ImportedRoom]) -> dict[UUID, str]:
    """Return the names of people; a name has to stand in one line only.

    It goes along with all of their messages, so it is no longer than what the database reads of it.
    """
    names: dict[UUID, str] = {}
    for room in rooms:
        for _, line in room.lines:
            names[line.sender_id] = names.get(line.sender_id) or line.sender_name[:1000]
    return names


def read_lines(path: Path) -> list[bytes]:
    """Return the lines of a file, without the byte order marks that Windows writes.

    Raises ImportRefused.
    """
    try:
        return [line.removeprefix(BOM_UTF8) for line in path.read_bytes().split(b"\n")]
    except OSError as error:
        raise ImportRefused(
            f"{path} cannot be read: {error}.", "An import is a JSONL file in UTF-8."
        ) from error


def drop_doubles(room: ImportedRoom) -> list[Fault]:
    """Take the second message of one id out of a room.

    For the database it is the first one, imported again.
    """
    faults, seen, kept = [], set(), []
    for where, line in room.lines:
        if line.client_id in seen:
            faults.append(Fault(where, f"id: There is another message {line.id} in the room."))
        else:
            kept.append((where, line))
        seen.add(line.client_id)
    room.lines = kept
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
    said = str(first["msg"]).replace(" at line 1 column ", " at column ")
    return f"{place}: {said}." if place else f"{said}."
