"""Whoever may make temporary objects hides nothing of ours behind them."""

from __future__ import annotations

from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from tests.people import Person, people

# A spy in the place of each type our functions name: it tells as whom it was asked.
SPY = """
create function pg_temp.spy() returns boolean language plpgsql as $$
begin
  raise notice 'asked as %', current_user;
  return true;
end;
$$;
create domain pg_temp.uuid as pg_catalog.uuid check (pg_temp.spy());
create domain pg_temp.jsonb as pg_catalog.jsonb check (pg_temp.spy());
create domain pg_temp.timestamptz as pg_catalog.timestamptz check (pg_temp.spy());
create domain pg_temp.int8 as pg_catalog.int8 check (pg_temp.spy());
create domain pg_temp.int4 as pg_catalog.int4 check (pg_temp.spy());
create domain pg_temp.bytea as pg_catalog.bytea check (pg_temp.spy());
create domain pg_temp.bool as pg_catalog.bool check (pg_temp.spy());
create domain pg_temp.text as pg_catalog.text check (pg_temp.spy())
"""
CARELESS = """
create function public.careless() returns text language plpgsql security definer
set search_path = '' as $$
declare v_text text := 'x'; begin return v_text; end $$;
grant execute on function public.careless() to authenticated
"""


def listen(person: Person) -> list[str]:
    """Put the spies into somebody's session; return what they will have said."""
    said: list[str] = []
    person.connection.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
    person.connection.execute(SPY)
    return said


def test_types_of_the_session_are_not_those_of_our_functions(database: str) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        said = listen(ann)
        room = ann.call("create_room", name="Room", member_ids=[bob.id])["id"]
        message = ann.call(
            "send_message", room_id=room, body="x", client_id=uuid4(), mentions=[bob.id]
        )
        seq = message["seq"]
        item = {"room_id": str(room), "client_id": str(uuid4()), "body": "x", "reply_to": seq}
        ann.rows("send_messages", items=Jsonb([item]))
        ann.call("edit_message", room_id=room, seq=seq, body="y")
        ann.call("add_reaction", room_id=room, seq=seq, emoji="👍")
        ann.call("pin_message", room_id=room, seq=seq)
        ann.call("mark_read", room_id=room, seq=seq)
        ann.rows("list_rooms")
        ann.rows("list_messages", room_id=room)
        ann.rows("search_messages", query="y")
        ann.rows("pull_changes", cursor=Jsonb({"rooms": {str(room): None}}))
        ann.rows("explain_access", topic=f"room:{room}:1", user_id=bob.id)
        ann.call("set_room_preferences", room_id=room, notify="mentions")
        ann.call("mute_member", room_id=room, user_id=bob.id, until=None)
        ann.call("ban_member", room_id=room, user_id=bob.id, reason="spam")
        ann.call("delete_message", room_id=room, seq=seq)
        assert said == []


def test_the_spies_do_hear_who_is_careless(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(CARELESS)
    with people(database, "Ann") as (ann,):
        said = listen(ann)
        ann.connection.execute("select public.careless()")
        assert "asked as postgres" in said
