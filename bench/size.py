"""Size: what a message takes on disk, by table, beside the baseline schema."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from bench.databases import Clones, add_people, new_ids, open_direct_rooms, read_sql
from bench.search import Cost

ROOMS = 100
SENTENCE = "we meet at the old harbour gate when the ferry is in tonight maybe"
CHINESE = "我家在上海东边你好世界测试一下"
MOST = {"32 characters": 480.0, "67 characters": 590.0}
"""Bytes a message, everything included."""
MOST_SEARCH_CHINESE = 180.0
BODIES = {
    "32 characters": "substr(md5(n::text), 1, 5) || ' ' || substr(%(text)s, 1 + n %% 30, 26)",
    "67 characters": "substr(md5(n::text), 1, 6) || ' ' || left(%(text)s, 60)",
    "15 Chinese characters": "substr(%(chinese)s || %(chinese)s, 1 + n %% 15, 15)",
}


@dataclass(frozen=True)
class Size:
    """Bytes a message, for messages of one length: of each table its rows and its indexes."""

    text: str
    schema: str
    tables: dict[str, dict[str, float]]

    def of(self, table: str) -> float:
        """Return the bytes of a table with its indexes."""
        return sum(self.tables[table].values())

    @property
    def total(self) -> float:
        """All tables with their indexes."""
        return sum(map(self.of, self.tables))


def measure_sizes(clones: Clones, size: int) -> list[Size]:
    """Write ``size`` messages of each kind into a clone of their own, ours and the baseline's."""
    return [
        measured
        for text in BODIES
        for measured in (size_of_ours(clones, text, size), size_of_baseline(clones, text, size))
    ]


def size_of_ours(clones: Clones, text: str, size: int) -> Size:
    """Write messages as sends leave them: the words of each room run by run."""
    with psycopg.connect(clones.make("size"), autocommit=True) as connection:
        me, *others = new_ids(ROOMS + 1)
        add_people(connection, [me, *others])
        rooms = open_direct_rooms(connection, [(me, other) for other in others])
        connection.execute(
            read_sql("sql/size_ours.sql").replace("-- BODY", BODIES[text]).encode(),
            {"rooms": rooms, "me": me, "total": size, "text": SENTENCE, "chinese": CHINESE},
        )
        for last in range(31, size // ROOMS, 32):
            connection.execute(
                "select count(chat_private.grow_search(r.id, %s)) from chat.rooms as r", (last,)
            )
        return Size(
            text,
            "Parley",
            tables_of(
                connection,
                ("chat.messages", "chat_private.sends", "chat_private.search_blocks"),
                size,
            ),
        )


def size_of_baseline(clones: Clones, text: str, size: int) -> Size:
    """Write the same into the baseline schema."""
    with psycopg.connect(clones.make("size"), autocommit=True) as connection:
        connection.execute(read_sql("baselines/seed003.sql").encode())
        me, *others = new_ids(ROOMS + 1)
        rooms = new_ids(ROOMS)
        connection.execute(
            read_sql("sql/seed003_rooms.sql"),
            {"room_ids": rooms, "mine": [me] * ROOMS, "theirs": others},
        )
        connection.execute("alter table public.chat_messages disable trigger user")
        connection.execute(
            read_sql("sql/size_seed003.sql").replace("-- BODY", BODIES[text]).encode(),
            {"rooms": rooms, "me": me, "total": size, "text": SENTENCE, "chinese": CHINESE},
        )
        return Size(text, "baseline", tables_of(connection, ("public.chat_messages",), size))


def tables_of(
    connection: psycopg.Connection[tuple[object, ...]], tables: tuple[str, ...], size: int
) -> dict[str, dict[str, float]]:
    """Return the bytes a message of some tables, and of each of their indexes."""
    connection.execute("vacuum analyze")
    rows = connection.execute(read_sql("sql/size_relations.sql"), (list(tables),)).fetchall()
    found: dict[str, dict[str, float]] = {table: {} for table in tables}
    for table, relation, bytes_ in rows:
        found[str(table)][str(relation)] = float(str(bytes_)) / size
    return found


def bars_of(sizes: list[Size]) -> list[Cost]:
    """Hold our sizes against what they may be."""
    ours = {each.text: each for each in sizes if each.schema == "Parley"}
    return [
        *(
            Cost(f"bytes a message of {text}", ours[text].total, most)
            for text, most in MOST.items()
        ),
        Cost(
            "bytes of search for 15 Chinese characters",
            ours["15 Chinese characters"].of("chat_private.search_blocks"),
            MOST_SEARCH_CHINESE,
        ),
    ]
