"""What supabase-py and supabase-js, unmodified, do with our Realtime."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.realtime_peers import CLIENTS, JavaScriptPeer, PythonPeer, hears, of_kind, peers
from tests.e2e.realtime_stack import Host, Server, hosted, make_token, run_sql
from tests.until import until

PAIRS = [(first, second) for first in CLIENTS for second in CLIENTS]
JAVASCRIPT = CLIENTS[1:]

POLICIES = """
create table public.listeners (sub text, topic text, extension text, may_write boolean);
grant select on public.listeners to anon, authenticated;
create policy "listeners read" on realtime.messages for select to authenticated using (
  topic = realtime.topic() and exists (
    select 1 from public.listeners as l
    where l.sub = current_setting('request.jwt.claim.sub', true)
      and l.topic = messages.topic and l.extension = messages.extension
  )
);
create policy "listeners write" on realtime.messages for insert to authenticated with check (
  topic = realtime.topic() and exists (
    select 1 from public.listeners as l
    where l.sub = current_setting('request.jwt.claim.sub', true) and l.may_write
      and l.topic = messages.topic and l.extension = messages.extension
  )
);
insert into public.listeners
select sub, 'club', extension, sub <> 'cat'
from unnest(array['ann', 'bob', 'cat']) as sub, unnest(array['broadcast', 'presence']) as extension;
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def host(postgres: Server) -> AsyncIterator[Host]:
    """A server on a database with policies: ann and bob read and write `club`, cat reads it."""
    await run_sql(postgres.developer_url, POLICIES)
    async with hosted(postgres.url) as server:
        yield server
    await run_sql(postgres.developer_url, "drop table public.listeners cascade")


@pytest.fixture(autouse=True)
def no_frame_is_dropped(caplog: pytest.LogCaptureFixture) -> Any:
    """supabase-py logs and ignores what it cannot read; here that fails the test."""
    caplog.set_level(logging.ERROR, logger="realtime")
    yield
    assert not [each for each in caplog.messages if "Unrecognized message" in each]


async def send_from_database(postgres: Server, topic: str, payload: str, private: bool) -> None:
    """`realtime.send`, as the developer's role."""
    statement = "select realtime.send(%s::jsonb, 'said', %s, %s)"
    await run_sql(postgres.developer_url, statement, payload, topic, private)


def latest_state(peer: PythonPeer | JavaScriptPeer) -> dict[str, Any]:
    """Who a peer saw when it last heard of presence."""
    syncs = of_kind(peer, "sync")
    return dict(syncs[-1]["state"]) if syncs else {}


async def shut_because(peer: PythonPeer | JavaScriptPeer) -> str:
    """Wait until a channel was closed by the server; supabase-py tells why in its status."""
    await until(lambda: any(each["status"] == "CLOSED" for each in of_kind(peer, "status")))
    kind = "status" if peer.name == "python" else "system"
    return " ".join(str(each["message"]) for each in of_kind(peer, kind))


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_client_joins_leaves_and_joins_again(host: Host, name: str) -> None:
    async with peers(host, name) as (peer,):
        assert (await peer.join("lobby"))["status"] == "SUBSCRIBED"
        await peer.leave("lobby")
        await until(lambda: not list(host.realtime.context.hub.members(("lobby", False))))
        assert (await peer.join("lobby"))["status"] == "SUBSCRIBED"


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_a_broadcast_goes_from_every_client_to_every_client(
    host: Host, first: str, second: str
) -> None:
    async with peers(host, first, second) as (sender, listener):
        await sender.join("lobby")
        await listener.join("lobby")
        await sender.send("lobby", "said", {"body": "héllo 👋", "n": [1, None]})
        (heard,) = await hears(listener, "broadcast")
        assert (heard["event"], heard["payload"]) == ("said", {"body": "héllo 👋", "n": [1, None]})
        assert heard.get("meta") is None
        assert of_kind(sender, "broadcast") == []


@pytest.mark.parametrize("name", JAVASCRIPT)
async def test_an_acknowledged_send_resolves_ok(host: Host, name: str) -> None:
    async with peers(host, name) as (peer,):
        await peer.join("lobby", broadcast={"ack": True, "self": True})
        assert await peer.send("lobby", "said", {"n": 1}) == "ok"
        assert len(await hears(peer, "broadcast")) == 1


async def test_bytes_go_between_version_2_clients_and_never_reach_the_others(host: Host) -> None:
    async with peers(host, CLIENTS[2], CLIENTS[2], "python") as (sender, listener, old):
        for peer in (sender, listener, old):
            await peer.join("lobby")
        await sender.send("lobby", "picture", b"\x00\x01\xff")
        await sender.send("lobby", "said", {"n": 1})
        picture, said = await hears(listener, "broadcast", 2)
        assert (picture["event"], picture["payload"]) == ("picture", b"\x00\x01\xff")
        assert said["payload"] == {"n": 1}
        (only,) = await hears(old, "broadcast")
        assert only["event"] == "said"


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("private", [False, True])
async def test_the_database_is_heard_after_the_commit_with_the_rows_id(
    host: Host, postgres: Server, name: str, private: bool
) -> None:
    async with peers(host, name) as (peer,):
        await peer.authenticate(make_token(sub="ann"))
        await peer.join("club", private=private)
        await send_from_database(postgres, "club", '{"n": 0}', not private)
        for number in range(1, 6):
            await send_from_database(postgres, "club", f'{{"n": {number}}}', private)
        heard = await hears(peer, "broadcast", 5)
        assert [each["payload"]["n"] for each in heard] == [1, 2, 3, 4, 5]
        assert all(each["meta"]["id"] == each["payload"]["id"] for each in heard)


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_rolled_back_send_is_never_heard(host: Host, postgres: Server, name: str) -> None:
    async with peers(host, name) as (peer,):
        await peer.join("lobby")
        statement = "begin; select realtime.send('{\"n\": 1}', 'said', 'lobby', false); rollback"
        await run_sql(postgres.developer_url, statement)
        await send_from_database(postgres, "lobby", '{"n": 2}', False)
        (heard,) = await hears(peer, "broadcast")
        assert heard["payload"]["n"] == 2


async def test_send_binary_reaches_version_2_alone(host: Host, postgres: Server) -> None:
    async with peers(host, *CLIENTS) as (python, first, second):
        for peer in (python, first, second):
            await peer.join("lobby")
        statement = "select realtime.send_binary('\\x00ff'::bytea, 'picture', 'lobby', false)"
        await run_sql(postgres.developer_url, statement)
        await send_from_database(postgres, "lobby", '{"n": 1}', False)
        picture, _ = await hears(second, "broadcast", 2)
        assert (picture["event"], picture["payload"]) == ("picture", b"\x00\xff")
        for peer in (python, first):
            (heard,) = await hears(peer, "broadcast")
            assert heard["event"] == "said"


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_stranger_is_denied_a_private_topic_and_a_member_is_not(
    host: Host, name: str
) -> None:
    async with peers(host, name, name) as (stranger, member):
        await stranger.authenticate(make_token(sub="dan"))
        refused = await stranger.join("club", private=True)
        assert refused["status"] == "CHANNEL_ERROR"
        assert (
            "Unauthorized: You do not have permissions to read from this Channel topic: club"
            in refused["message"]
        )
        await member.authenticate(make_token(sub="ann"))
        assert (await member.join("club", private=True))["status"] == "SUBSCRIBED"


@pytest.mark.parametrize("name", CLIENTS)
async def test_who_may_read_but_not_write_is_not_heard(host: Host, name: str) -> None:
    async with peers(host, name, name, name) as (ann, bob, cat):
        for peer, sub in ((ann, "ann"), (bob, "bob"), (cat, "cat")):
            await peer.authenticate(make_token(sub=sub))
            await peer.join("club", private=True)
        await cat.send("club", "said", {"by": "cat"})
        await ann.send("club", "said", {"by": "ann"})
        (heard,) = await hears(bob, "broadcast")
        assert heard["payload"] == {"by": "ann"}


@pytest.mark.parametrize("name", JAVASCRIPT)
async def test_a_denied_send_with_ack_resolves_error(host: Host, name: str) -> None:
    async with peers(host, name) as (cat,):
        await cat.authenticate(make_token(sub="cat"))
        await cat.join("club", private=True, broadcast={"ack": True})
        assert await cat.send("club", "said", {}) == "error"


async def test_three_people_see_each_other_come_change_and_go(host: Host) -> None:
    async with peers(host, *CLIENTS) as members:
        for peer, sub in zip(members, ("ann", "bob", "cat"), strict=True):
            await peer.authenticate(make_token(sub="ann" if sub == "cat" else sub))
            await peer.join("club", private=True, presence={"enabled": True, "key": sub})
            await peer.track("club", {"mood": "new"})

        def sees(peer: Any, expected: dict[str, str]) -> bool:
            state = latest_state(peer)
            return {key: metas[0].get("mood") for key, metas in state.items()} == expected

        everybody = dict.fromkeys(("ann", "bob", "cat"), "new")
        for peer in members:
            await until(lambda peer=peer: sees(peer, everybody))  # type: ignore[misc]
        ann, bob, cat = members
        await bob.track("club", {"mood": "fine"})
        for peer in members:
            await until(lambda peer=peer: sees(peer, everybody | {"bob": "fine"}))  # type: ignore[misc]
        await cat.untrack("club")
        await until(lambda: sees(ann, {"ann": "new", "bob": "fine"}))
        await bob.leave("club")
        await until(lambda: sees(ann, {"ann": "new"}))


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_disconnected_client_leaves_presence(host: Host, name: str) -> None:
    async with peers(host, "python") as (watcher,):
        await watcher.join("lobby", presence={"enabled": True, "key": "watcher"})
        async with peers(host, name) as (peer,):
            await peer.join("lobby", presence={"enabled": True, "key": "guest"})
            await peer.track("lobby", {"n": 1})
            await until(
                lambda: "guest" in (of_kind(watcher, "sync") or [{"state": {}}])[-1]["state"]
            )
        await until(lambda: "guest" not in of_kind(watcher, "sync")[-1]["state"])


@pytest.mark.parametrize("name", CLIENTS)
async def test_replay_comes_oldest_first_and_marked(
    host: Host, postgres: Server, name: str
) -> None:
    await run_sql(postgres.developer_url, "delete from realtime.messages")
    for number in range(4):
        await send_from_database(postgres, "club", f'{{"n": {number}}}', True)
    await send_from_database(postgres, "club", '{"n": "public"}', False)
    async with peers(host, name) as (peer,):
        await peer.authenticate(make_token(sub="ann"))
        await peer.join("club", private=True, broadcast={"replay": {"since": 0, "limit": 3}})
        heard = await hears(peer, "broadcast", 3)
        await send_from_database(postgres, "club", '{"n": "live"}', True)
        heard = await hears(peer, "broadcast", 4)
        assert [each["payload"]["n"] for each in heard] == [1, 2, 3, "live"]
        assert [each["meta"].get("replayed", False) for each in heard] == [True] * 3 + [False]


@pytest.mark.parametrize("name", CLIENTS)
async def test_the_single_rest_endpoint_is_heard_by_the_sender_too(host: Host, name: str) -> None:
    async with peers(host, name, CLIENTS[2]) as (sender, listener):
        await sender.join("a lobby/ä")
        await listener.join("a lobby/ä")
        await sender.send_http("a lobby/ä", "my ev", {"n": 1})
        for peer in (sender, listener):
            (heard,) = await hears(peer, "broadcast")
            assert (heard["event"], heard["payload"]) == ("my ev", {"n": 1})
        await sender.send_http("a lobby/ä", "picture", b"\x00\x01")
        assert (await hears(listener, "broadcast", 2))[1]["payload"] == b"\x00\x01"


@pytest.mark.parametrize("name", CLIENTS)
async def test_the_single_rest_endpoint_refuses_who_may_not_write(host: Host, name: str) -> None:
    async with peers(host, name, name) as (cat, ann):
        for peer, sub in ((cat, "cat"), (ann, "ann")):
            await peer.authenticate(make_token(sub=sub))
            await peer.join("club", private=True)
        with pytest.raises(Exception, match=r"Unauthorized|403"):
            await cat.send_http("club", "said", {"by": "cat"})
        await ann.send_http("club", "said", {"by": "ann"})
        assert (await hears(cat, "broadcast"))[0]["payload"] == {"by": "ann"}


@pytest.mark.parametrize("name", JAVASCRIPT)
async def test_an_unjoined_send_goes_over_the_batch_endpoint(host: Host, name: str) -> None:
    async with peers(host, "python", name) as (listener, sender):
        await listener.join("lobby")
        assert isinstance(sender, JavaScriptPeer)
        assert await sender.send_unjoined("lobby", "said", {"n": 1}) == "ok"
        assert (await hears(listener, "broadcast"))[0]["payload"] == {"n": 1}


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_removed_member_hears_on_until_a_new_token_comes(
    host: Host, postgres: Server, name: str
) -> None:
    async with peers(host, name) as (bob,):
        await bob.authenticate(make_token(sub="bob"))
        await bob.join("club", private=True)
        await run_sql(postgres.developer_url, "delete from listeners where sub = 'bob'")
        try:
            await send_from_database(postgres, "club", '{"n": 1}', True)
            await hears(bob, "broadcast")
            await bob.authenticate(make_token(sub="bob", jti="refreshed"))
            assert "You do not have permissions to read" in await shut_because(bob)
            assert list(host.realtime.context.hub.members(("club", True))) == []
        finally:
            await run_sql(
                postgres.developer_url,
                "insert into listeners select 'bob', 'club', unnest(array['broadcast', 'presence'])"
                ", true",
            )


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_refreshed_token_keeps_the_channel_beyond_the_old_ones_expiry(
    host: Host, name: str
) -> None:
    async with peers(host, name, name) as (stays, ends):
        await stays.authenticate(make_token(sub="ann", lasts_s=3))
        assert (await stays.join("club", private=True))["status"] == "SUBSCRIBED"
        await stays.authenticate(make_token(sub="ann"))
        await ends.authenticate(make_token(sub="ann", lasts_s=3))
        assert (await ends.join("club", private=True))["status"] == "SUBSCRIBED"
        assert "Token has expired" in await shut_because(ends)
        (channel,) = host.realtime.context.hub.members(("club", True))
        channel.push("broadcast", {"type": "broadcast", "event": "still", "payload": {"n": 1}})
        assert (await hears(stays, "broadcast"))[0]["event"] == "still"
