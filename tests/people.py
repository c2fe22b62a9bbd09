"""People who act on connections of their own, as the API has them act: role, claims, one call."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, LiteralString, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tests.until import until_blocking

Result = TypeVar("Result")
Row = dict[str, Any]


def id_of(name: str) -> UUID:
    """Return the id of somebody; the same name is the same person in pgTAP files."""
    return UUID(hashlib.md5(f"parley {name}".encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True)
class Outcome:
    """What a call came to: the first row, if it returned any, or the slug it was refused with."""

    row: Row
    slug: str | None = None

    @property
    def done(self) -> bool:
        """True when the call was not refused."""
        return self.slug is None


class Person:
    """Somebody signed in, on a connection of their own, where every call is a transaction."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.id = id_of(name)
        self.connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        claims = {"sub": str(self.id), "role": "authenticated"}
        self.connection.execute(
            "select set_config('role', 'authenticated', false),"
            " set_config('request.jwt.claims', %s, false)",
            [json.dumps(claims)],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    @property
    def pid(self) -> int:
        """The server process behind the connection."""
        return self.connection.info.backend_pid

    def rows(self, function: LiteralString, **arguments: object) -> list[Row]:
        """Call a function of ``chat`` and return its rows. Raises psycopg.Error."""
        query = sql.SQL("select * from chat.{}({})").format(
            sql.Identifier(function),
            sql.SQL(", ").join(
                sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name))
                for name in arguments
            ),
        )
        return self.connection.execute(query, arguments).fetchall()

    def call(self, function: LiteralString, **arguments: object) -> Row:
        """Call a function of ``chat`` and return its row. Raises psycopg.Error."""
        return self.rows(function, **arguments)[0]

    def attempt(self, function: LiteralString, **arguments: object) -> Outcome:
        """Call a function that may refuse. Raises psycopg.Error for what is no refusal."""
        try:
            return Outcome(next(iter(self.rows(function, **arguments)), {}))
        except psycopg.Error as error:
            state = error.sqlstate or ""
            if state == "PGRST":
                return Outcome({}, json.loads(str(error.diag.message_primary))["message"])
            if state.startswith("PT"):
                return Outcome({}, error.diag.message_primary)
            raise

    @contextmanager
    def holding(self) -> Iterator[Person]:
        """Keep what is called inside in one transaction, with its locks, until the end."""
        with self.connection.transaction():
            yield self


class Server(Person):
    """A server with the secret key that acts as somebody, on a connection of its own."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(url, name)
        self.connection.execute(
            "select set_config('role', 'service_role', false),"
            " set_config('request.jwt.claims', %s, false),"
            " set_config('request.headers', %s, false)",
            [json.dumps({"role": "service_role"}), json.dumps({"x-parley-user": str(self.id)})],
        )


@contextmanager
def people(url: str, *names: str) -> Iterator[list[Person]]:
    """Sign people up, unless they are, and in, each on a connection of their own."""
    with psycopg.connect(url, autocommit=True) as owner:
        known = {row[0] for row in owner.execute("select user_id from chat.profiles")}
        new = [name for name in dict.fromkeys(names) if id_of(name) not in known]
        owner.execute("select tests.make_people(variadic %s)", [new])
    with ExitStack() as signed_in:
        yield [signed_in.enter_context(Person(url, name)) for name in names]


def at_once(*calls: Callable[[], Result]) -> list[Result]:
    """Start calls at the same moment, one thread each, and return what each returned."""
    barrier = threading.Barrier(len(calls))

    def start(call: Callable[[], Result]) -> Result:
        barrier.wait(timeout=30)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(start, calls))


def overlap(
    observer: psycopg.Connection[Any],
    first: Person,
    hold: Callable[[], object],
    second: Person,
    act: Callable[[], Result],
) -> Result:
    """Let somebody act against what another did and commits only once they wait for it."""
    with ThreadPoolExecutor(1) as thread:
        with first.holding():
            hold()
            waiting = thread.submit(act)
            wait_until_blocked(observer, second)
        return waiting.result(timeout=30)


def wait_until_blocked(observer: psycopg.Connection[Any], person: Person) -> None:
    """Return as soon as somebody's call waits for a lock. Raises TimeoutError if it never does."""
    blocked = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
    until_blocking(lambda: observer.execute(blocked, [person.pid]).rowcount)


def crowd(size: int) -> list[str]:
    """Return names for people who are only many."""
    return [f"P{number}" for number in range(1, size + 1)]
