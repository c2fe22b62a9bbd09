"""What policies cost somebody in 10, 100 and 1,000 rooms: ours, and those commonly recommended.

The same messages are in one table for each form of a policy. A page is the newest fifty messages of
a room, an inbox the last message of each of the newest fifty rooms, a send one insert. Everything
is the processor time of one connection, in turns between the forms, with the statement planned each
time. Parley's own functions stand beside them. They do in one call what tables and policies do not:
an inbox counts what is unread, and a send numbers, announces and limits.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from random import Random
from statistics import median
from typing import Any

import psycopg

from bench.databases import (
    Clones,
    act_as,
    add_people,
    connect,
    new_ids,
    open_direct_rooms,
    read_sql,
    write_history,
)
from bench.meter import in_turns
from bench.outcome import Chart, Outcome, at_least
from bench.send import new_client_id

MESSAGES_PER_ROOM = 100
IN_A_TURN = 8
SHARE = 0.6
"""Of the speed without policies, what a page by our function has to have."""

OURS = "Parley's function"
FORMS = {
    "none": "no policies",
    "look_up": "a point look-up, as Parley's policies",
    "in_select": "room_id in (select …)",
    "in_function": "room_id in (select my_rooms())",
    "exists_select": "exists (…)",
    "bare_uid": "exists (…) with bare auth.uid()",
}
PAGE = "select m.* from bench.{} as m where m.room_id = %s order by m.seq desc limit 50"
INBOX = """
select last.*
from bench.members as mine
cross join lateral (
  select m.* from bench.{} as m where m.room_id = mine.room_id order by m.seq desc limit 1
) as last
where mine.user_id = %s
order by last.created_at desc
limit 50
"""
SEND = """
insert into bench.{} (room_id, seq, rev, sender_id, client_id, body)
values (%s, %s, 0, %s, %s, 'we meet at the gate')
"""

Act = Callable[[], tuple[str, list[Any]]]


def measure_rls(clones: Clones, amounts: tuple[int, ...], strangers: int, rounds: int) -> Outcome:
    """Measure all forms for somebody in so many rooms, beside memberships of strangers."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {
        act: {name: [] for name in [*FORMS.values(), OURS]} for act in ("page", "inbox", "send")
    }
    bars = []
    for amount in amounts:
        me, *others = new_ids(amount + 1)
        url = clones.make("rls")
        with psycopg.connect(url, autocommit=True) as connection:
            add_people(connection, [me, *others])
            rooms = open_direct_rooms(connection, [(me, other) for other in others])
            write_history(connection, me, others, rooms, total=amount * MESSAGES_PER_ROOM)
            psycopg.ClientCursor(connection).execute(
                read_sql("sql/rls.sql").encode(), {"strangers": strangers}
            )
            connection.execute("vacuum analyze")
        acts = acts_of(me, rooms)
        with ExitStack() as stack:
            connections = {
                name: stack.enter_context(connect(url)) for name in [*FORMS.values(), OURS]
            }
            for act, candidates in acts.items():
                turns = in_turns(
                    {
                        name: (
                            connections[name].info.backend_pid,
                            partial(perform, connections[name], me, candidate),
                        )
                        for name, candidate in candidates.items()
                    },
                    rounds,
                )
                for name in candidates:
                    cost = median(costs[name] for costs in turns) / IN_A_TURN
                    found[act][name].append((amount, cost))
                if act == "page" and amount == amounts[-1]:
                    ratios = [costs[FORMS["none"]] / costs[OURS] for costs in turns]
                    bars.append(
                        at_least(
                            f"a page by Parley's function in {amount:,} rooms, to no policies",
                            median(ratios),
                            SHARE,
                            ratios,
                        )
                    )
    chart = partial(Chart, unit="ms of processor time", across="rooms of the person", kind="lines")
    return Outcome(
        "rls",
        [
            chart("page", "A page of fifty messages", series=found["page"]),
            chart("inbox", "The last messages of fifty rooms", series=found["inbox"]),
            chart("send", "A message sent", series=found["send"]),
        ],
        bars,
        {"strangers": strangers, "rounds": rounds},
    )


def acts_of(me: str, rooms: list[str]) -> dict[str, dict[str, Act]]:
    """Return what is done: a maker of statement and values for each candidate."""
    random = Random(11)  # noqa: S311 (draws rooms)
    place = 1_000_000

    def insert(form: str) -> tuple[str, list[Any]]:
        nonlocal place
        place += 1
        return SEND.format(form), [random.choice(rooms), place, me, new_client_id(random)]

    def page(form: str) -> tuple[str, list[Any]]:
        return PAGE.format(form), [random.choice(rooms)]

    return {
        "page": {name: partial(page, form) for form, name in FORMS.items()}
        | {
            OURS: lambda: (
                "select * from chat.list_messages(room_id => %s)",
                [random.choice(rooms)],
            )
        },
        "inbox": {
            name: partial(lambda form: (INBOX.format(form), [me]), form)
            for form, name in FORMS.items()
        }
        | {OURS: lambda: ("select * from chat.list_rooms()", [])},
        "send": {name: partial(insert, form) for form, name in FORMS.items()}
        | {
            OURS: lambda: (
                "select * from chat.send_message(%s, 'we meet at the gate', %s)",
                [random.choice(rooms), new_client_id(random)],
            )
        },
    }


def perform(connection: psycopg.Connection[Any], me: str, act: Act) -> None:
    """Do it some times as API requests do, and read what comes."""
    for _ in range(IN_A_TURN):
        statement, values = act()
        with connection.transaction():
            act_as(connection, me)
            cursor = connection.execute(statement.encode(), values)
            if cursor.description is not None:
                cursor.fetchall()
