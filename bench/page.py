"""A page of fifty messages, for somebody in many rooms: the function, the policies, and neither."""

from __future__ import annotations

from random import Random

import psycopg

from bench.comparison import Bar
from bench.databases import Clones, add_people, new_ids, open_direct_rooms, read_sql, write_history
from bench.load import Line, Load

CONNECTIONS = 16
MESSAGES_PER_ROOM = 100

FUNCTION = "list_messages"
POLICY = "the same read as a member, under the policies"
PLAIN = "the same read as postgres, without policies"

PAGE_BARS = [Bar("a page against the same read without policies", FUNCTION, PLAIN, at_least=0.6)]


def of_room(line: Line, random: Random) -> list[str]:
    """Return a room."""
    return [random.choice(line.rooms)]


def prepare_pages(clones: Clones, size: int) -> list[Load]:
    """Make a database with one person in ``size`` direct rooms, a hundred messages in each."""
    me, *others = new_ids(size + 1)
    url = clones.make("page")
    with psycopg.connect(url, autocommit=True) as connection:
        add_people(connection, [me, *others])
        rooms = open_direct_rooms(connection, [(me, other) for other in others])
        write_history(connection, me, others, rooms, total=size * MESSAGES_PER_ROOM)
    lines = (Line(me, tuple(rooms)),) * CONNECTIONS
    read = read_sql("sql/page.sql")
    return [
        Load(FUNCTION, url, "select * from chat.list_messages(room_id => $1)", of_room, lines),
        Load(POLICY, url, read, of_room, lines),
        Load(PLAIN, url, read, of_room, lines, role="postgres"),
    ]
