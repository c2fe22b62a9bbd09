"""Writing rows of the own stream into the copy, such as memberships, marks, notifications, blocks.

Everything here happens inside a transaction of the store.
"""

from __future__ import annotations

from uuid import UUID

from parley.sync.change import Change
from parley.sync.database import Database
from parley.sync.kinds import USER_KINDS
from parley.sync.queries import query
from parley.sync.room_rows import clear_room, drop_room, put_kind, read_cleared
from parley.sync.rows import Rows, is_id, is_number, refused
from parley.sync.steps import Step
from parley.sync.table_rows import drop_tenants


def put_user(database: Database, step: Step) -> list[Change]:
    """Write a step of the own stream; rooms that were left leave the copy. Raises AnswerRefused."""
    rows = step.rows or {}
    me = database.one("select user_id from account")[0]
    marks = rows.get("marks", ())
    read_seqs = [(row["room_id"], row.get("read_seq")) for row in marks]
    database.execute_many(
        query("older_uncounted"),
        [(room_id, seq if is_number(seq) else None) for room_id, seq in read_seqs],
    )
    preferences = rows.get("preferences", ())
    before = {row["room_id"]: read_cleared(database, row["room_id"]) for row in preferences}
    for name, kind in USER_KINDS.items():
        if any(row.get("user_id", me) != me for row in rows.get(name, ())):
            raise refused(f"there is a row of {name} that is of somebody else")
        if step.begin is None:
            database.execute(f"delete from {name}")  # noqa: S608
        put_kind(database, kind, rows.get(name, ()))
    cleared = [row for row in preferences if row["cleared_seq"] > before[row["room_id"]]]
    for row in cleared:
        clear_room(database, row["room_id"], row["cleared_seq"])
    memberships = rows.get("memberships", ())
    mine = [row["room_id"] for row in memberships if row["left_at"] is None]
    gone = {row["room_id"] for row in memberships if row["left_at"] is not None}
    gone |= set(step.dropped_rooms)
    known = {row[0] for row in database.all("select room_id from streams")}
    database.execute_many(query("older_settled"), [{"room_id": row["room_id"]} for row in marks])
    database.execute_many(
        "insert into streams (room_id) values (?) on conflict do nothing",
        [(each,) for each in mine],
    )
    for room_id in sorted(gone):
        drop_room(database, room_id)
    end_with_memberships(database, rows)
    read_seq = step.notifications_read_seq or 0
    if step.begin is None:
        database.execute("update account set notifications_read_seq = ?", (read_seq,))
    database.execute(
        "update account set rev = ?, notifications_read_seq = max(notifications_read_seq, ?)",
        (step.to, read_seq),
    )
    database.execute(query("marks_confirmed"), {"rev": step.to})
    tables = []
    if step.dropped_tenants:
        database.execute(query("profiles_unnamed"))
        tables = drop_tenants(database, [str(each) for each in step.dropped_tenants])
    dropped = [Change(UUID(each), is_gone=True) for each in sorted(gone & known)]
    here = known - gone
    emptied = [row["room_id"] for row in cleared if row["room_id"] in here]
    dropped += [Change(UUID(each), is_fresh=True) for each in emptied]
    own = Change(
        None,
        rows,
        is_fresh=step.begin is None,
        dropped_tenants=step.dropped_tenants,
        places_changed=step.tells_of_places,
    )
    return [*dropped, *tables, own]


def drop_rooms_left(database: Database) -> list[Change]:
    """Drop rooms that this account is not in, once all its memberships are here."""
    left = [row[0] for row in database.all(query("streams_without_membership"))]
    for room_id in left:
        drop_room(database, room_id)
    return [Change(UUID(each), is_gone=True) for each in left]


def settle_doubts(database: Database, is_own_fresh: bool) -> None:
    """Ask for the own stream again if notifications may be over that nothing here can tell.

    ``is_own_fresh`` says that it just came, whole, from the same snapshot as the rooms.
    """
    if is_own_fresh:
        database.execute("update account set doubts = 0")
    else:
        database.execute(query("notifications_asked_anew"))


def end_with_memberships(database: Database, rows: Rows) -> None:
    """Drop what is about rooms that were left, and new notifications that are over by now."""
    database.execute_many(
        query("notifications_before"),
        [
            (row["room_id"], row["user_rev"] + (row["left_at"] is not None))
            for row in rows.get("memberships", ())
        ],
    )
    notifications = rows.get("notifications", ())
    database.execute_many(
        query("mentions_replaced"),
        [
            {"room_id": row["room_id"], "message_seq": row["message_seq"], "seq": row["seq"]}
            for row in notifications
            if row.get("kind") == "mention"
            and is_id(row.get("room_id"))
            and is_number(row.get("message_seq"))
        ],
    )
    database.execute_many(query("notification_over"), [(row["seq"],) for row in notifications])
