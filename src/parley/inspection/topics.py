"""Finding policies on ``realtime.messages`` that open Parley's topics to everybody."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from parley.finding import Finding
from parley.inspection.queries import query

NAME = "policies of your own on realtime.messages"
OURS = (
    "people listen to their own topics",
    "members speak on the live topics of their rooms",
)
EXTENSIONS = ("broadcast", "presence")

PROBE = sql.SQL(
    "select coalesce(bool_or({expression}), false)"
    " from unnest({extensions}::text[]) as e"
    " cross join jsonb_populate_record("
    "null::realtime.messages, jsonb_build_object('topic', {topic}, 'extension', e.e)"
    ") as messages"
)
"""Whether an expression of a policy lets a row with this topic through."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy that is not Parley's lets people do: ``receive`` or ``send``."""

    name: str
    verb: str
    expression: str
    asks_for_topic: bool


def describe_topics(connection: psycopg.Connection[Any]) -> Finding:
    """Check that no policy of the adopter lets people onto topics that Parley's policies refuse.

    Policies are combined with "or". A policy is told if it does not ask for the topic at all, or if
    it says yes to a topic that has the form of Parley's and belongs to nobody. The second is found
    out by evaluating it as the role ``authenticated``, in a transaction that can write nothing.
    """
    told = [
        f"The policy {policy.name} on realtime.messages lets people {policy.verb} on topics of "
        "Parley that its own policies keep them out of."
        for policy in read_strange_policies(connection)
        if not policy.asks_for_topic or lets_through(connection, policy)
    ]
    return Finding(
        NAME,
        not told,
        " ".join(told) or "No policy beside Parley's opens its topics.",
        "Postgres allows what any one policy allows, so people who were removed from a room can "
        "still hear it, and anybody can put events on its topic. Drop the policy, or add a "
        "condition that allows your own topics only, such as realtime.topic() like 'own:%'. "
        "Parley's topics begin with user:, room:, live: and tenant:.",
    )


def read_strange_policies(connection: psycopg.Connection[Any]) -> list[Policy]:
    """Return the policies on ``realtime.messages`` that are not Parley's and hold for people."""
    with connection.transaction(force_rollback=True):
        # With an empty search_path Postgres prints every name with its schema.
        connection.execute("set local search_path = ''")
        with connection.cursor(row_factory=class_row(Policy)) as cursor:
            return cursor.execute(query("strange_policies"), {"ours": list(OURS)}).fetchall()


def lets_through(connection: psycopg.Connection[Any], policy: Policy) -> bool:
    """Say whether a policy lets somebody through to a topic of Parley that is not theirs.

    A policy that fails for such a topic lets nobody through.
    """
    found = connection.execute(
        "select p.user_id from chat.profiles as p where p.closed_at is null limit 1"
    ).fetchone()
    user_id = found[0] if found else uuid4()
    try:
        with connection.transaction(force_rollback=True):
            claims = json.dumps({"sub": str(user_id), "role": "authenticated"})
            connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
            connection.execute("set local statement_timeout = '5s'")
            connection.execute("set local role authenticated")
            return any(answers_yes(connection, policy, topic) for topic in topics_of(uuid4()))
    except psycopg.DatabaseError:
        return False


def answers_yes(connection: psycopg.Connection[Any], policy: Policy, topic: str) -> bool:
    """Evaluate the expression of a policy as Realtime does when somebody joins the topic."""
    connection.execute("select set_config('realtime.topic', %s, true)", [topic])
    probe = PROBE.format(
        expression=sql.SQL(policy.expression),  # It comes from the catalog.
        extensions=sql.Literal(list(EXTENSIONS)),
        topic=sql.Literal(topic),
    )
    answer = connection.execute(probe).fetchone()
    return bool(answer and answer[0])


def topics_of(some_id: UUID) -> list[str]:
    """Return a topic of each form, with an id that belongs to nothing."""
    return [
        f"user:{some_id}:1",
        f"room:{some_id}:1",
        f"live:{some_id}:1",
        f"tenant:{some_id}:dashboard",
    ]
