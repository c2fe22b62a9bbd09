"""Databases to measure in: clones of a migrated one, each with rows of its own."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench.load import claims_of
from parley.errors import StackError
from parley.inspection.promises import with_whole_names

FOLDER = Path(__file__).parent
WORDS = 2000
BODY_WORDS = 9


def read_sql(name: str) -> str:
    """Return the text of a file below bench/, such as ``sql/people.sql``."""
    return (FOLDER / name).read_text()


class Clones:
    """Makes clones of the database that a URL of the role postgres names."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.template = str(conninfo_to_dict(url)["dbname"])
        self.names: list[str] = []

    def make(self, purpose: str) -> str:
        """Clone the database; return the URL of the clone. Raises StackError."""
        return self._clone(self.template, purpose)

    def _clone(self, template: str, purpose: str) -> str:
        name = f"bench_{purpose}_{uuid.uuid4().hex[:8]}"
        statement = sql.SQL("create database {} template {}")
        with self._maintain() as connection:
            try:
                connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
            except psycopg.errors.ObjectInUse as error:
                raise StackError(
                    f"{template} cannot be cloned while somebody is connected to it.",
                    "Stop what uses it, or leave --db-url out to measure in a stack of its own.",
                ) from error
        self.names.append(name)
        return make_conninfo(self.url, dbname=name)

    def copy(self, url: str, purpose: str) -> str:
        """Clone a clone, with the rows that it has by now; return the URL of the new one."""
        return self._clone(str(conninfo_to_dict(url)["dbname"]), purpose)

    def drop(self) -> None:
        """Drop all clones."""
        with self._maintain() as connection:
            for name in self.names:
                connection.execute(
                    sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
                )
        self.names = []

    def _maintain(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(self.url, dbname="template1", autocommit=True)
        except psycopg.OperationalError as error:
            raise StackError(
                f"The database cannot be reached: {' '.join(str(error).split())}",
                "Look at the --db-url, or leave it out.",
            ) from error


@contextmanager
def cloned(url: str) -> Iterator[Clones]:
    """Lend clones of a database and drop them afterwards."""
    clones = Clones(url)
    try:
        yield clones
    finally:
        clones.drop()


def connect(url: str) -> psycopg.Connection[Any]:
    """Connect so that every statement is planned each time, as in the local stack."""
    return psycopg.connect(url, autocommit=True, prepare_threshold=None)


def new_ids(count: int) -> list[str]:
    """Make up ids."""
    return [str(uuid.uuid4()) for _ in range(count)]


def write_bodies(count: int) -> tuple[str, ...]:
    """Make up messages of nine words out of two thousand, about sixty characters each."""
    choose = random.Random(3)  # noqa: S311 (the same words in every run)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(choose.choices(letters, k=choose.randint(3, 9))) for _ in range(WORDS)]
    return tuple(" ".join(choose.choices(words, k=BODY_WORDS)) for _ in range(count))


def act_as(connection: psycopg.Connection[Any], user_id: str) -> None:
    """Act as a person until the end of the transaction."""
    connection.execute(
        "select set_config('role', 'authenticated', true),"
        " set_config('request.jwt.claims', %s, true)",
        (claims_of(user_id),),
    )


def add_people(connection: psycopg.Connection[Any], user_ids: list[str]) -> None:
    """Sign people up, without limits on what they may send."""
    connection.execute(read_sql("sql/people.sql"), {"user_ids": user_ids})
    connection.execute(read_sql("sql/lift_limits.sql"))


def open_direct_rooms(
    connection: psycopg.Connection[Any], pairs: list[tuple[str, str]]
) -> list[str]:
    """Open the direct room of each pair, as the first of the two; return the ids of the rooms."""
    rooms: list[tuple[Any, ...]] = []
    for mine, theirs in pairs:
        with connection.transaction():
            act_as(connection, mine)
            rooms += connection.execute("select (chat.open_direct(%s)).id", (theirs,)).fetchall()
    return [str(room_id) for (room_id,) in rooms]


def create_room(connection: psycopg.Connection[Any], user_ids: list[str]) -> str:
    """Create a room with these people, the first as its owner; return its id."""
    with connection.transaction():
        act_as(connection, user_ids[0])
        ((room_id,),) = connection.execute(
            "select (chat.create_room(name => 'Hot', member_ids => %s::uuid[])).id",
            (user_ids[1:],),
        ).fetchall()
    return str(room_id)


@contextmanager
def set_aside(connection: psycopg.Connection[Any], table: str) -> Iterator[None]:
    """Load rows in bulk: inside, a table has no index but its key, no triggers, refers to nothing.

    Afterwards it has them again, made over all rows: its indexes are as dense as after a reindex.
    """
    with connection.transaction(), with_whole_names(connection):
        connection.execute("set local maintenance_work_mem = '512MB'")
        parts = connection.execute(read_sql("sql/set_aside.sql"), {"table": table}).fetchall()
        for drop, _ in parts:
            connection.execute(drop)
        yield
        for _, make in reversed(parts):
            connection.execute(make)


def write_history(
    connection: psycopg.Connection[Any],
    mine: str,
    theirs: list[str],
    rooms: list[str],
    *,
    total: int,
    share: int = 2_000_000_000,
) -> None:
    """Write messages between one person and the others, and set that person's marks.

    ``rooms`` are the direct rooms with ``theirs``. Every ``share``-th message goes to the first.
    """
    values = {
        "mine": mine,
        "theirs": theirs,
        "rooms": rooms,
        "total": total,
        "share": share,
        "bodies": list(write_bodies(500)),
    }
    with set_aside(connection, "chat.messages"):
        connection.execute(read_sql("sql/history.sql"), values)
    for name in ("history_heads", "history_marks"):
        connection.execute(read_sql(f"sql/{name}.sql"), values)
    connection.execute("vacuum analyze")


def store_words(connection: psycopg.Connection[Any], rooms: list[str]) -> None:
    """Store the words of all messages of rooms for search, in two processes, room by room."""
    info = connection.info
    url = make_conninfo(info.dsn, password=info.password)
    waiting = iter(rooms)

    def store() -> None:
        with psycopg.connect(url, autocommit=True) as own:
            for room in waiting:
                own.execute(
                    "select chat_private.grow_search(r.id, r.last_seq) from chat.rooms as r"
                    " where r.id = %s",
                    (room,),
                )

    with ThreadPoolExecutor(2) as threads:
        for job in [threads.submit(store) for _ in range(2)]:
            job.result()
    connection.execute("vacuum analyze")
