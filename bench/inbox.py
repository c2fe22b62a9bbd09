"""What somebody in many rooms sees first, with few and with many messages in the database.

Half of the messages are in one room, the others spread over the rest.
"""

from __future__ import annotations

from functools import partial
from random import Random

import psycopg

from bench.comparison import Bar
from bench.databases import Clones, add_people, new_ids, open_direct_rooms, write_history
from bench.load import Line, Load, Parameters

ROOMS = 1000
LEAST_IN_A_ROOM = 100
FEW = 10_000

INBOX = "inbox"
NEWEST = "newest page"
MIDDLE = "page in the middle"
HEADS = "heads"
READS = (INBOX, NEWEST, MIDDLE, HEADS)

INBOX_BARS = [
    Bar(
        f"{read}, many messages against few", f"{read}, many", f"{read}, few", "p50_ms", at_most=1.3
    )
    for read in READS
]


def of_nothing(_line: Line, _random: Random) -> list[str]:
    """Return no parameters."""
    return []


def of_first_room(line: Line, _random: Random) -> list[str]:
    """Return the room that holds half of the messages."""
    return [line.rooms[0]]


def of_place(last_seq: int, line: Line, random: Random) -> list[str]:
    """Return that room and a place in it, a page or more from the beginning."""
    return [line.rooms[0], str(random.randint(52, last_seq))]


def prepare_inboxes(clones: Clones, size: int) -> list[Load]:
    """Make two databases with one person in a thousand direct rooms: few messages, and ``size``.

    There are fewer rooms where that would be less than a hundred messages in each.
    """
    me, *others = new_ids(min(ROOMS, size // LEAST_IN_A_ROOM) + 1)
    empty = clones.make("inbox")
    with psycopg.connect(empty, autocommit=True) as connection:
        add_people(connection, [me, *others])
        rooms = open_direct_rooms(connection, [(me, other) for other in others])
    copies = Clones(empty)
    urls = {"few": copies.make("few"), "many": copies.make("many")}
    clones.names += copies.names
    loads = []
    for amount, total in (("few", FEW), ("many", size)):
        with psycopg.connect(urls[amount], autocommit=True) as connection:
            write_history(connection, me, others, rooms, total=total, share=2)
        lines = (Line(me, tuple(rooms)),)
        requests: dict[str, tuple[str, Parameters]] = {
            INBOX: ("select * from chat.list_rooms()", of_nothing),
            NEWEST: ("select * from chat.list_messages(room_id => $1)", of_first_room),
            MIDDLE: (
                "select * from chat.list_messages(room_id => $1, before => $2)",
                partial(of_place, total // 2),
            ),
            HEADS: ("select chat.list_heads()", of_nothing),
        }
        loads += [
            Load(f"{name}, {amount}", urls[amount], statement, parameters, lines)
            for name, (statement, parameters) in requests.items()
        ]
    return [load for read in READS for load in loads if load.name.startswith(f"{read},")]
