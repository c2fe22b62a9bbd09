"""Signing up: Parley's part of it lets nobody wait for anybody else."""

from __future__ import annotations

import time
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from parley.stack import Status
from tests.people import at_once
from tests.sql.races import Owner

CONNECTIONS = 8
ROUNDS = 6
HELD_S = 0.1


def sign_ups(database: str) -> float:
    """Return the seconds that sign-ups take on eight connections, each held open for a while."""

    def sign_up() -> None:
        with psycopg.connect(database) as auth:
            for _ in range(ROUNDS):
                auth.execute(
                    "insert into auth.users (id, email) values (%s, %s)",
                    [user_id := uuid4(), f"{user_id}@parley.example"],
                )
                time.sleep(HELD_S)
                auth.commit()

    began = time.monotonic()
    at_once(*[sign_up] * CONNECTIONS)
    return time.monotonic() - began


def test_sign_ups_do_not_queue_behind_each_other(database: str, stack: Status) -> None:
    together = sign_ups(database)
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(stack.admin_db_url, dbname=name, autocommit=True) as admin:
        admin.execute("alter table auth.users disable trigger _100_open_account")
        without = sign_ups(database)
        joined = admin.execute("select count(*) from chat.tenant_members").fetchone()
    assert joined == (CONNECTIONS * ROUNDS,)
    assert together < without * CONNECTIONS / 2


def test_the_check_above_sees_a_queue(database: str, owner: Owner) -> None:
    without = sign_ups(database)
    owner.execute(
        "create table public.counted (people bigint); insert into public.counted values (0)"
    )
    owner.execute(
        "create function public.count_people() returns trigger language plpgsql security definer"
        " set search_path = '' as $$ begin update public.counted set people = people + 1;"
        " return null; end $$"
    )
    owner.execute(
        "create trigger count_people after insert on auth.users"
        " for each row execute function public.count_people()"
    )
    assert sign_ups(database) > without * CONNECTIONS / 2
