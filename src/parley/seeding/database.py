"""Writing a plan into a database, completely or not at all."""

from __future__ import annotations

import psycopg

from parley.errors import SeedRefused
from parley.report import Report
from parley.seeding.functions import play
from parley.seeding.people import are_there
from parley.seeding.plan import KNOWN, Plan
from parley.seeding.volume import Writer

PLAYED_MESSAGES = 2_000
PLAYED_ROOMS = 50
"""Plans up to this size call the functions; larger ones are written by COPY."""

FILES_FIRST = "Apply all migrations and the seed file first: 'parley seed' without numbers."


def seed_database(url: str, plan: Plan, report: Report) -> bool:
    """Write a plan. If the database has it already, change nothing and return False.

    ``url`` is that of the role postgres. Raises SeedRefused; nothing is written then.
    """
    try:
        with psycopg.connect(url) as connection:
            if not are_there(connection, KNOWN):
                raise SeedRefused("Ann, Bob, Cat and Dan are not there.", FILES_FIRST)
            if are_there(connection, (plan.people[0].id,)):
                return False
            scale = plan.scale
            if scale.messages <= PLAYED_MESSAGES and scale.rooms <= PLAYED_ROOMS:
                play(connection, plan, report)
            else:
                Writer(connection, plan, report).write()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("analyze chat.messages, chat.rooms, chat.room_members, chat.marks")
    except psycopg.Error as error:
        raise SeedRefused(
            f"The database refused the seed: {str(error).strip().splitlines()[0]}",
            FILES_FIRST,
        ) from error
    return True
