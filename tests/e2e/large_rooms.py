"""Large rooms without hundreds of people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from parley.stack import Status


@contextmanager
def rooms_count_as_large(stack: Status) -> Iterator[None]:
    """Let a room of three people count as large for a while."""
    change = "update chat_private.settings set fanout_limit = %s"
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        usual = connection.execute("select fanout_limit from chat_private.settings").fetchone()
        connection.execute(change, [2])
        try:
            yield
        finally:
            connection.execute(change, usual)
