"""Writing a small plan by calling the functions of the schema, as its people would."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from parley.report import Report
from parley.seeding.people import write_people
from parley.seeding.plan import Plan


def play(connection: psycopg.Connection[Any], plan: Plan, report: Report) -> None:
    """Open the rooms and send the messages of a plan. Times are those of the server's clock."""
    write_people(connection, plan)
    report("People", len(plan.people), len(plan.people))
    total, done = plan.scale.messages, 0
    for room in plan.rooms:
        fill_buckets(connection, room.member_ids)
        act_as(connection, room.member_ids[0])
        opened = connection.execute(
            "select (chat.create_room(%s, member_ids => %s)).id",
            (room.name, list(room.member_ids[1:])),
        ).fetchone()
        for each in plan.messages(room):
            act_as(connection, each.sender_id)
            connection.execute(
                "select chat.send_message(%s, %s, %s, %s)",
                (opened and opened[0], each.body, each.id, each.reply_to),
            )
        done += room.message_count
        report("Messages", done, total)


def act_as(connection: psycopg.Connection[Any], user_id: UUID) -> None:
    """Act as this person for the rest of the transaction, as an API request does."""
    claims = json.dumps({"sub": str(user_id), "role": "authenticated"})
    connection.execute("select set_config('request.jwt.claims', %s, true)", (claims,))


def fill_buckets(connection: psycopg.Connection[Any], user_ids: Sequence[UUID]) -> None:
    """Let people spend again: months of talk are played in a moment."""
    connection.execute(
        "delete from chat_private.rate_buckets where bucket = 'send' and user_id = any(%s)",
        (list(user_ids),),
    )
