"""Writing rows of rooms into the copy, and how far they go.

Everything here happens inside a transaction of the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from uuid import UUID

from parley.sync.change import Change
from parley.sync.database import Database
from parley.sync.kinds import MESSAGES, OPAQUE_MESSAGES, ROOM_KINDS, Kind, calls
from parley.sync.queries import query
from parley.sync.rows import Row, Rows, text_of
from parley.sync.steps import Answer, Step


def read_stream(database: Database, room_id: str) -> sqlite3.Row | None:
    """What there is of a room."""
    return database.maybe("select * from streams where room_id = ?", (room_id,))


def put_room(database: Database, step: Step, room_id: str, keep_from: int | None) -> Change | None:
    """Write a step of a room; None when the copy does not know the room.

    ``keep_from`` lowers the range of messages that are kept.
    """
    stream = read_stream(database, room_id)
    if stream is None:
        return None
    rows = step.rows or {}
    first, last, active_at = stream["first_seq"], stream["last_seq"], stream["active_at"]
    messages = rows.get("messages", ())
    floor, cleared = read_floor(database, room_id), read_cleared(database, room_id)
    if step.begin is None:
        delete_rows(database, room_id)
        last = 0
        first = min(
            (row["seq"] for row in messages),
            default=max((row["last_seq"] for row in rows.get("rooms", ())), default=0) + 1,
        )
        if cleared and not messages:
            # A room keeps its place on the start screen when its history is cleared.
            times = [text_of(row, "active_at") for row in rows.get("rooms", ())]
            active_at = max([active_at, *times])
    # A step may bring what this account has cleared, because the others have not.
    first = max(first, cleared + 1)
    lowest = max(first if keep_from is None else min(first, keep_from), cleared + 1)
    kept: dict[str, list[Row]] = {}
    for name, kind in ROOM_KINDS.items():
        some = [
            row for row in rows.get(name, ()) if kind.about is None or row[kind.about] >= lowest
        ]
        if some:
            put_kind(database, kind, some)
            kept[name] = some
    end_with_messages(database, rows)
    end_with_edits(database, messages)
    for row in messages:
        if row["seq"] > last:
            last, active_at = row["seq"], text_of(row, "created_at") or active_at
    for row in rows.get("rooms", ()):
        if row["floor_seq"] >= first:
            first = row["floor_seq"] + 1
            delete_below(database, room_id, first)
        below = (room_id, row["floor_seq"] + 1)
        database.execute(query("notifications_below"), below)
    if step.begin is None:
        database.execute(query("notifications_in_doubt"), (room_id, first))
    if step.begin is None or is_older_touched(database, room_id, first, floor, rows):
        database.execute("update streams set older_counted = 0 where room_id = ?", (room_id,))
    database.execute(
        query("stream_moved"),
        {
            "room_id": room_id,
            "rev": step.to,
            "first_seq": first,
            "last_seq": last,
            "active_at": active_at,
        },
    )
    if first != stream["first_seq"] or step.begin is None:
        database.execute(query("older_settled"), {"room_id": room_id})
    confirm(database, room_id, step.to, messages)
    return Change(UUID(room_id), kept, is_fresh=step.begin is None)


def put_rows(database: Database, rows: Rows) -> None:
    """Write rows of a room, except over newer ones."""
    for name, some in rows.items():
        put_kind(database, ROOM_KINDS[name], some)
    end_with_messages(database, rows)
    end_with_edits(database, rows.get("messages", ()))


def lower(database: Database, room_id: str, first_seq: int) -> None:
    """The copy of a room begins earlier now."""
    delete_below(database, room_id, first_seq)
    database.execute(
        "update streams set first_seq = ?, older_counted = 0 where room_id = ?",
        (first_seq, room_id),
    )
    database.execute(query("older_settled"), {"room_id": room_id})


def count_older(database: Database, first: Mapping[str, int], answer: Answer) -> None:
    """Keep the server's counts of what is before the first messages that it was asked with."""
    told = {step.room_id: step for step in answer.rooms}
    for room_id, asked_seq in first.items():
        step = told.get(room_id)
        stream = read_stream(database, room_id)
        if stream is None or (step is None and answer.more):
            continue
        is_of_range = step is None or step.begin is None or stream["first_seq"] == asked_seq
        if step is not None and (stream["rev"] != step.to or not is_of_range):
            continue
        # A server that counts nothing is not asked again.
        unread, mentions = (step and step.older) or (
            stream["older_unread"],
            stream["older_mentions"],
        )
        database.execute(query("older_counted"), (unread, mentions, room_id))


def drop_room(database: Database, room_id: str) -> None:
    """The room and everything of it, in the transaction that tells so."""
    delete_rows(database, room_id)
    database.execute("delete from streams where room_id = ?", (room_id,))
    database.execute(query("actions_dropped"), {"room_id": room_id})
    database.execute(query("actions_discarded"), {"room_id": room_id})


def put_kind(database: Database, kind: Kind, rows: Iterable[Row]) -> None:
    """Write rows of one kind; messages are of one room."""
    rows = list(rows)
    if kind is MESSAGES and rows and is_opaque(database, rows[0]["room_id"]):
        kind = OPAQUE_MESSAGES
    database.execute_many(kind.upsert, [kind.values(row) for row in rows])


def is_opaque(database: Database, room_id: str) -> bool:
    """Tell whether the bodies of a room are ciphertext, which never changes."""
    found = database.maybe("select row ->> 'is_opaque' from rooms where room_id = ?", (room_id,))
    return found is not None and bool(found[0])


def end_with_messages(database: Database, rows: Rows) -> None:
    """Drop what is about tombstones, whichever of the two came first."""
    tombstones = [
        (row["room_id"], row["seq"])
        for row in rows.get("messages", ())
        if row.get("deleted_at") is not None
    ]
    about = {
        (row["room_id"], row["seq"]) for kind in ("reactions", "pins") for row in rows.get(kind, ())
    }
    for name in ("reactions_over", "pins_over"):
        database.execute_many(query(name), [*tombstones, *about])
    database.execute_many(query("notifications_of_message"), tombstones)


def end_with_edits(database: Database, messages: Iterable[Row]) -> None:
    """Drop the notifications of mentions that an edit took out."""
    me = database.one("select user_id from account")[0]
    database.execute_many(
        query("mentions_over"),
        [
            {"room_id": row["room_id"], "seq": row["seq"], "rev": row["rev"]}
            for row in messages
            if row.get("edited_at") is not None and not calls(row, me)
        ],
    )


def read_cleared(database: Database, room_id: str) -> int:
    """Up to where this account has cleared the history of a room."""
    return int(database.one(query("cleared_seq"), (room_id,))[0])


def clear_room(database: Database, room_id: str, cleared: int) -> None:
    """Drop the past of a room, in the transaction that tells that it was cleared."""
    delete_below(database, room_id, cleared + 1)
    database.execute(query("notifications_below"), (room_id, cleared + 1))
    database.execute(query("stream_cleared"), {"room_id": room_id, "cleared_seq": cleared})
    database.execute(query("older_settled"), {"room_id": room_id})


def read_floor(database: Database, room_id: str) -> int:
    """The floor of a room as far as the copy knows it."""
    floor = database.maybe(
        "select cast(row ->> 'floor_seq' as integer) from rooms where room_id = ?", (room_id,)
    )
    return 0 if floor is None else int(floor[0] or 0)


def is_older_touched(database: Database, room_id: str, first: int, floor: int, rows: Rows) -> bool:
    """Tell whether unread messages changed, or went, that the copy does not have."""
    changed = [row["seq"] for row in rows.get("messages", ()) if row["seq"] < first]
    changed += [row["floor_seq"] for row in rows.get("rooms", ()) if row["floor_seq"] > floor]
    if not changed:
        return False
    mark = database.maybe(
        "select cast(row ->> 'read_seq' as integer) from marks where room_id = ?", (room_id,)
    )
    return bool(max(changed) > (0 if mark is None else mark[0] or 0))


def confirm(database: Database, room_id: str, to: int, messages: Iterable[Row]) -> None:
    """What the server has stamped needs no place in the outbox, whoever told us first."""
    me = database.one("select user_id from account")[0]
    database.execute_many(
        "delete from outbox where kind = 'send' and room_id = ? and client_id = ?",
        [(room_id, text_of(row, "client_id")) for row in messages if row.get("sender_id") == me],
    )
    database.execute(query("actions_confirmed"), {"room_id": room_id, "rev": to})


def delete_rows(database: Database, room_id: str) -> None:
    for name in ROOM_KINDS:
        database.execute(f"delete from {name} where room_id = ?", (room_id,))  # noqa: S608


def delete_below(database: Database, room_id: str, first: int) -> None:
    for kind in ROOM_KINDS.values():
        if kind.about is not None:
            database.execute(
                f"delete from {kind.name} where room_id = ? and {kind.about} < ?",  # noqa: S608
                (room_id, first),
            )
