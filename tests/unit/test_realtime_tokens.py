"""Tokens at the door, at the join, on a joined channel, and when they run out."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from parley.realtime.authorization.tokens import TokenError, Tokens
from parley.realtime.channel import access_token
from parley.realtime.settings import Limits
from tests.unit.realtime_fakes import NOW, SECRET, Client, Core, make_token
from tests.until import until

TOPIC = "realtime:room"


async def refresh(client: Client, token: Any) -> list[Any]:
    """Push a new token; never answered."""
    return await client.push(TOPIC, "access_token", {"access_token": token})


def shutdown(message: str) -> list[Any]:
    """The pair that ends a channel from the server's side."""
    payload = {"extension": "system", "status": "error", "message": message, "channel": "room"}
    return [["j1", None, TOPIC, "system", payload], ["j1", "j1", TOPIC, "phx_close", {}]]


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_token_of_the_project_is_verified(algorithm: str) -> None:
    claims = {"role": "authenticated", "exp": time.time() + 60.4, "sub": "ann", "iat": 1.5}
    secret = 2 * SECRET
    token = jwt.encode(claims, secret, algorithm=algorithm)
    verified = Tokens(secret, {}).verify(f" {token[:20]}\n{token[20:]}%20")
    assert (verified.role, verified.sub) == ("authenticated", "ann")
    assert isinstance(verified.exp, int)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "MalformedJWT"),
        ("a.b", "MalformedJWT"),
        ("a.b.c", "MalformedJWT"),
        ("....", "MalformedJWT"),
        ("e30.e30.e30", "MalformedJWT"),
        (make_token()[:-4] + "AAAA", "JwtSignatureError"),
        (jwt.encode({"role": "x", "exp": 2e9}, "x" * 40), "JwtSignatureError"),
        (jwt.encode({"role": "x", "exp": 2e9}, "", algorithm="none"), "JwtSignerError"),
        (jwt.encode({"role": "x"}, SECRET), "InvalidJWTToken"),
        (jwt.encode({"exp": 2e9}, SECRET), "InvalidJWTToken"),
        (jwt.encode({"role": "x", "exp": 0}, SECRET), "InvalidJWTToken"),
        (jwt.encode({"role": "x", "exp": 1}, SECRET), "InvalidJWTToken"),
        (jwt.encode({"role": "x", "exp": True}, SECRET), "MalformedJWT"),
        (jwt.encode({"role": "x", "exp": 2e9, "iat": [1]}, SECRET), "MalformedJWT"),
    ],
)
def test_a_token_that_is_not_good_has_a_code(token: str, code: str) -> None:
    with pytest.raises(TokenError) as caught:
        Tokens(SECRET, {}).verify(token)
    assert caught.value.code == code


def test_at_the_door_an_expired_token_is_told_without_seconds() -> None:
    with pytest.raises(TokenError) as caught:
        Tokens(SECRET, {}).verify(make_token(lasts_s=-5))
    assert caught.value.handshake == "Token has expired"


def test_a_token_that_was_verified_before_is_refused_once_it_has_expired() -> None:
    tokens, token, now = Tokens(SECRET, {}), make_token(lasts_s=60), NOW
    assert tokens.verify(token, now) == tokens.verify(token, now + 30)
    with pytest.raises(TokenError) as caught:
        tokens.verify(token, now + 61)
    assert caught.value.code == "InvalidJWTToken"


@pytest.mark.parametrize("token", ["sb_publishable_x", None, 7])
async def test_opaque_keys_and_nulls_are_ignored(token: Any) -> None:
    core = Core()
    client = core.connect()
    await client.join(private=True)
    assert await refresh(client, token) == []
    assert len(core.authorizer.asked) == 1


async def test_the_same_token_asks_nobody_again() -> None:
    core = Core()
    client, token = core.connect(), make_token(sub="ann")
    await client.join(private=True, access_token=token)
    await refresh(client, token)
    assert len(core.authorizer.asked) == 1
    await refresh(client, make_token(sub="ann", jti="other"))
    assert len(core.authorizer.asked) == 2


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "The token provided is not a valid JWT"),
        ("x", "The token provided is not a valid JWT"),
        (make_token(role=None), "Fields `role` and `exp` are required in JWT"),
    ],
)
async def test_a_bad_token_is_told_by_system_and_closes_the_channel(
    token: str, message: str
) -> None:
    client = Core().connect()
    await client.join()
    assert await refresh(client, token) == shutdown(message)
    assert client.session.channels == {}


async def test_an_expired_token_closes_the_channel_and_leaves_the_socket() -> None:
    client = Core().connect()
    await client.join()
    answers = await refresh(client, make_token(lasts_s=-3))
    assert answers[0][4]["message"].startswith("Token has expired ")
    assert [each[3] for each in answers] == ["system", "phx_close"]
    assert client.listener.closes == []


async def test_a_token_that_may_not_read_any_more_closes_the_channel() -> None:
    core = Core()
    client = core.connect()
    await client.join(private=True)
    core.authorizer.read = {"broadcast": False, "presence": False}
    assert await refresh(client, make_token(sub="else")) == shutdown(
        "You do not have permissions to read from this Channel topic: room"
    )


async def test_losing_one_of_two_rights_closes_the_channel_with_its_own_words() -> None:
    core = Core()
    client = core.connect()
    await client.join(private=True, presence={"enabled": True})
    core.authorizer.read = {"broadcast": True, "presence": False}
    assert await refresh(client, make_token(sub="else")) == shutdown(
        "You no longer have permission to read from this Channel topic: room"
    )


async def test_a_right_gained_with_a_new_token_takes_effect() -> None:
    core = Core()
    core.authorizer.read = {"broadcast": False, "presence": True}
    client, sender = core.connect(), core.connect()
    await client.join(private=True, presence={"enabled": True})
    core.authorizer.read = {"broadcast": True, "presence": True}
    await sender.join(private=True)
    payload = {"event": "e", "payload": {}}
    client.take()
    await sender.push(TOPIC, "broadcast", payload)
    assert client.take() == []
    await refresh(client, make_token(sub="else"))
    await sender.push(TOPIC, "broadcast", payload)
    assert [each[3] for each in client.take()] == ["broadcast"]


async def test_rights_stay_as_they_were_until_a_new_token_comes() -> None:
    core = Core()
    client, sender = core.connect(), core.connect()
    await client.join(private=True)
    await sender.join(private=True)
    await sender.push(TOPIC, "broadcast", {"event": "e", "payload": {}})
    core.authorizer.read = core.authorizer.write = {"broadcast": False, "presence": False}
    await sender.push(TOPIC, "broadcast", {"event": "e", "payload": {}})
    assert len(client.take()) == 2
    assert [each[0] for each in core.authorizer.asked] == ["read", "read", "write"]


async def test_a_channel_expires_with_its_token() -> None:
    core = Core()
    client = core.connect()
    await client.join(access_token=make_token(lasts_s=1))
    core.now += 5
    (channel,) = client.session.channels.values()
    access_token.watch_expiry(client.session.context, channel)
    await until(lambda: not channel.open)
    answers = client.take()
    assert [each[3] for each in answers] == ["system", "phx_close"]
    assert answers[0][4]["message"] == "Token has expired 4 seconds ago"
    assert client.listener.closes == []


async def test_the_first_refresh_is_immediate_and_further_ones_are_held() -> None:
    core = Core(Limits(access_token_throttle_s=0.2))
    client = core.connect()
    await client.join(private=True)
    for name in ("first", "second", "third"):
        await refresh(client, make_token(sub=name))
    assert [each[3] for each in core.authorizer.asked] == ["", "first"]
    await until(lambda: len(core.authorizer.asked) == 3)
    assert core.authorizer.asked[-1][3] == "third"


async def test_a_held_token_is_applied_when_the_old_one_runs_out() -> None:
    core = Core(Limits(access_token_throttle_s=60))
    client = core.connect()
    await client.join(private=True)
    await refresh(client, make_token(sub="first", lasts_s=1))
    await refresh(client, make_token(sub="second"))
    core.now += 5
    (channel,) = client.session.channels.values()
    access_token.watch_expiry(client.session.context, channel)
    await until(lambda: core.authorizer.asked[-1][3] == "second")
    assert channel.open


async def test_a_new_token_watches_tables_anew() -> None:
    core = Core()
    client = core.connect()
    await client.join(postgres_changes=[{"schema": "public"}])
    await until(lambda: len(core.tables.watched) == 1)
    client.take()
    await refresh(client, make_token(sub="else"))
    await until(lambda: len(client.listener.frames) == 1)
    assert client.take()[0][4]["message"] == "Subscribed to PostgreSQL"
    assert len(core.tables.watched) == 1
