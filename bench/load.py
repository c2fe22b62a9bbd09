"""Load as API requests make it: many connections, each repeating one transaction.

A transaction is what an API request becomes (begin, role and claims, the statement, commit), as one
pipeline: one write and one read. So the client costs little beside the server, and it costs every
candidate the same. The statement is parsed and planned at every request, as behind a pooler and in
the local stack, unless a load says that it is prepared, as PostgREST does on its own connections.
"""

from __future__ import annotations

import json
import os
import random
import select
import selectors
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from psycopg import pq

from parley.errors import StackError

PROCESSES = 2
WARM_UP_SECONDS = 1.5
LEAST_WARM_UP_SECONDS = 0.5
# Until a server process has returned a large piece of memory once, its C library gives back what
# is over 128 KB after each statement, or not, as luck has it, and fetches it again: up to a tenth
# of a send. The connections of a pool have.
LARGE_ANSWER = b"select repeat('x', 1000000)"
FRAME = (
    ("open", "begin"),
    ("act", "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)"),
    ("close", "commit"),
)


@dataclass(frozen=True)
class Line:
    """One connection: who it acts for, and the values it draws its parameters from."""

    user_id: str
    rooms: tuple[str, ...]
    bodies: tuple[str, ...] = ()


Parameters = Callable[[Line, random.Random], list[str]]


@dataclass(frozen=True)
class Load:
    """What a candidate does: ``parameters`` makes those of the next statement of a line.

    ``weight`` is how many messages (or pages) one transaction stands for; ``is_prepared`` plans its
    statement once.
    """

    name: str
    url: str
    statement: str
    parameters: Parameters
    lines: tuple[Line, ...]
    role: str = "authenticated"
    weight: int = 1
    is_prepared: bool = False


@dataclass(frozen=True)
class Figures:
    """One run: units per second, and transaction times in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float


def claims_of(user_id: str) -> str:
    """Return the claims of an access token as Auth issues them."""
    return json.dumps(
        {
            "aud": "authenticated",
            "exp": 4102444800,
            "iat": 1763700000,
            "sub": user_id,
            "email": "person@bench.example",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {},
            "role": "authenticated",
            "aal": "aal1",
            "session_id": user_id,
            "is_anonymous": False,
        }
    )


@dataclass(frozen=True)
class Share:
    """What one process counted: milliseconds of each transaction, and for how many seconds."""

    took: list[float]
    seconds: float


class Caller:
    """One connection that repeats its transaction for as long as it is told to."""

    def __init__(self, load: Load, line: Line) -> None:
        self.load = load
        self.act_for(line)
        self.random = random.Random(os.urandom(8))  # noqa: S311 (draws rooms, keeps no secret)
        self.connection = pq.PGconn.connect(load.url.encode())
        if self.connection.status != pq.ConnStatus.OK:
            raise StackError(self.connection.get_error_message(), "Look at the --db-url.")
        self.require(self.connection.exec_(LARGE_ANSWER))
        for name, text in FRAME:
            self.require(self.connection.prepare(name.encode(), text.encode()))
        if load.is_prepared:
            self.require(self.connection.prepare(b"request", load.statement.encode()))
        self.connection.nonblocking = 1
        self.connection.enter_pipeline_mode()
        self.begun = 0.0

    def act_for(self, line: Line) -> None:
        """Make the next transactions those of a line."""
        self.line = line
        self.frame = [self.load.role.encode(), claims_of(line.user_id).encode()]

    def begin(self) -> None:
        """Send the next transaction."""
        connection = self.connection
        values = [value.encode() for value in self.load.parameters(self.line, self.random)]
        connection.send_query_prepared(b"open", None)
        connection.send_query_prepared(b"act", self.frame)
        if self.load.is_prepared:
            connection.send_query_prepared(b"request", values)
        else:
            connection.send_query_params(self.load.statement.encode(), values)
        connection.send_query_prepared(b"close", None)
        connection.pipeline_sync()
        self.begun = time.perf_counter()
        connection.flush()

    def ended(self) -> bool:
        """Read what has arrived; say whether the transaction is over. Raises StackError."""
        connection = self.connection
        connection.consume_input()
        while not connection.is_busy():
            result = connection.get_result()
            if result is None:
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                return True
            self.require(result)
        connection.flush()
        return False

    def repeat(self, times: int) -> None:
        """Run that many transactions one after the other, each for the next line of the load."""
        for number in range(times):
            self.act_for(self.load.lines[number % len(self.load.lines)])
            self.begin()
            while not self.ended():
                select.select([self.connection.socket], [], [], 30)

    def require(self, result: pq.abc.PGresult) -> None:
        """Refuse to measure something that fails. Raises StackError."""
        if result.status not in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}:
            words = " ".join(result.get_error_message().split())
            raise StackError(f"{self.load.name} fails: {words}", "Repair it, then measure.")


def drive(load: Load, lines: tuple[Line, ...], start: float, seconds: float) -> Share:
    """Run some lines of a load for some seconds, and longer until a transaction has ended.

    ``start`` is when counting begins, as ``time.time()`` says it; until then it warms up, longer
    when connecting took that long.
    """
    waiting = selectors.DefaultSelector()
    callers = [Caller(load, line) for line in lines]
    for caller in callers:
        waiting.register(caller.connection.socket, selectors.EVENT_READ, caller)
        caller.begin()
    took: list[float] = []
    first = time.perf_counter() + max(start - time.time(), LEAST_WARM_UP_SECONDS)
    last = first + seconds
    open_transactions = len(callers)
    while open_transactions:
        for key, _ in waiting.select(timeout=30):
            caller = key.data
            if not caller.ended():
                continue
            now = time.perf_counter()
            if first <= now and (now < last or not took):
                took.append((now - caller.begun) * 1000)
                last = max(last, now)
            if now < last:
                caller.begin()
            else:
                open_transactions -= 1
    for caller in callers:
        caller.connection.finish()
    return Share(took, last - first)


class Crew:
    """The client processes, kept for all runs of a benchmark."""

    def __init__(self, warm_up: float) -> None:
        self.warm_up = warm_up
        self._pool = ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"))

    def run(self, load: Load, seconds: float) -> Figures:
        """Run a load for some seconds after warming up."""
        start = time.time() + self.warm_up
        groups = [load.lines[place::PROCESSES] for place in range(PROCESSES)]
        jobs = [self._pool.submit(drive, load, group, start, seconds) for group in groups if group]
        shares = [job.result() for job in jobs]
        took = sorted(ms for share in shares for ms in share.took)
        return Figures(
            per_second=load.weight * sum(len(share.took) / share.seconds for share in shares),
            p50_ms=statistics.median(took),
            p99_ms=took[int(len(took) * 0.99)],
        )

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()
