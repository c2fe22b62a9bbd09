"""Writing the people of a plan: accounts without a password, so nobody can sign in to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg

from parley.seeding.plan import Plan
from parley.seeding.queries import query


def write_people(connection: psycopg.Connection[Any], plan: Plan) -> None:
    """Write the accounts; the trigger on auth.users adds their profiles."""
    connection.execute("create temporary table seeded_people (id uuid, name text) on commit drop")
    with connection.cursor().copy("copy seeded_people (id, name) from stdin") as copy:
        for each in plan.people:
            copy.write_row((each.id, each.name))
    connection.execute(query("people"))


def are_there(connection: psycopg.Connection[Any], user_ids: tuple[UUID, ...]) -> bool:
    """Say whether all of these people are in the database."""
    found = connection.execute(
        "select count(*) from chat.profiles where user_id = any (%s)", (list(user_ids),)
    )
    return found.fetchone() == (len(user_ids),)
