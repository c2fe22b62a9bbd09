"""Push from a send to the provider, through the front door and the real Edge Function."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
import psycopg
import pytest
import pytest_asyncio

from parley.stack import Stack
from parley.stack.control import remove
from parley.stack.functions import find_deno
from tests.e2e.chat_people import Member, signed_up
from tests.e2e.push_providers import (
    Browser,
    Providers,
    answers,
    base64url,
    from_base64url,
    hangs,
    push_providers,
)
from tests.until import until

pytestmark = pytest.mark.lasts(90)

SUPABASE = Path(__file__).parents[2] / "supabase"
SECRET = "a secret of the tests"
DEADLINE_S = 90.0


class Post:
    """A stack whose pushes go to providers on this machine."""

    def __init__(self, root: Path, providers: Providers) -> None:
        shutil.copytree(SUPABASE, root / "supabase")
        self.functions = root / "supabase" / "functions"
        variables = {**providers.environment(), "PUSH_SECRET": SECRET, "PUSH_WAIT_MS": "50"}
        lines = (f"{name}='{value}'" for name, value in variables.items())
        (self.functions / ".env").write_text("\n".join(lines))
        self.stack = Stack(root / "state", port=0, db_port=0, project=root)
        self.providers = providers

    async def let_door_wake(self, does: bool) -> None:
        """Have the front door wake the function, or not, so that tests see what each call does."""
        settings = self.stack.home / "functions.json"
        content = json.loads(settings.read_text())
        content["environment"].pop("PUSH_SECRET", None)
        if does:
            content["environment"]["PUSH_SECRET"] = SECRET
        settings.write_text(json.dumps(content))
        door = self.stack.status.parts["gateway"]
        assert door.pid is not None
        os.kill(door.pid, signal.SIGTERM)

        def is_back() -> bool:
            return self.stack.status.parts["gateway"].pid != door.pid and self.stack.status.ready

        await until(is_back, DEADLINE_S)

    async def wake(self, secret: str = SECRET) -> httpx.Response:
        """Call the function; returns its answer."""
        async with httpx.AsyncClient(timeout=DEADLINE_S) as client:
            return await client.post(
                f"{self.stack.status.api_url}/functions/v1/send-chat-push",
                headers={"x-push-secret": secret},
            )

    async def send(self) -> dict[str, Any]:
        """Send what is due; returns the summary."""
        answer = await self.wake()
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run something past all rights."""
        url = self.stack.status.db_url
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            cursor = await connection.execute(statement.encode())
            return await cursor.fetchall() if cursor.description else []

    async def let_leases_end(self) -> None:
        """Let two minutes and more pass for everything that was claimed or put off."""
        await self.sql("update chat_private.push_deliveries set due_at = now() - interval '1 s'")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def post(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Post]:
    async with push_providers() as providers:
        post = Post(tmp_path_factory.mktemp("push"), providers)
        try:
            await post.stack.up()
            await post.let_door_wake(False)
            yield post
        finally:
            await post.stack.down()
            await remove(post.stack.home)


@pytest_asyncio.fixture(loop_scope="session")
async def pair(post: Post) -> AsyncIterator[tuple[Member, Member, str]]:
    """Ann and Bob in a direct room, with nothing due and no fault left."""
    await post.sql("delete from chat_private.push_outbox")
    await post.sql("delete from chat_private.push_deliveries")
    await post.sql("delete from chat_private.push_tokens")
    for each in (post.providers.expo, post.providers.fcm, post.providers.browsers):
        each.clear()
    post.providers.faults.clear()
    post.providers.held.clear()
    post.providers.dead.clear()
    post.providers.asked.clear()
    # A test before this one may have killed a part.
    await until(lambda: post.stack.status.ready, DEADLINE_S)
    async with signed_up(post.stack.status, "Ann", "Bob") as (ann, bob):
        room = await ann.call("open_direct", user_id=bob.user_id)
        yield ann, bob, str(room["id"])


async def register(
    member: Member, device_id: str, platform: str, provider: str, token: str
) -> None:
    await member.call(
        "register_device",
        device_id=device_id,
        platform=platform,
        push_provider=provider,
        push_token=token,
    )


async def with_phone(member: Member) -> str:
    """Register a phone; returns its token."""
    token = f"ExponentPushToken[{member.user_id}]"
    await register(member, "phone", "ios", "expo", token)
    return token


async def test_a_phone_gets_a_push_while_its_person_is_elsewhere(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    token = await with_phone(bob)
    await bob.call("heartbeat", device_id="laptop")
    sent = await ann.send(room_id, "Are you there?")
    assert (await post.send())["sent"] == 1
    (push,) = post.providers.expo
    assert (push["to"], push["title"], push["body"], push["badge"]) == (
        token,
        "Ann",
        "Are you there?",
        1,
    )
    assert push["collapseId"] == push["tag"] == room_id
    assert push["data"] == {
        "type": "chat_message",
        "room_id": room_id,
        "message_id": sent["id"],
        "sender_id": ann.user_id,
        "unread": "1",
        "badge": "1",
    }
    assert (await post.send())["claimed"] == 0


async def test_somebody_who_looks_at_the_room_gets_no_push(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await with_phone(bob)
    await bob.call("heartbeat", device_id="laptop", room_id=room_id)
    await ann.send(room_id, "seen at once")
    assert (await post.send())["claimed"] == 0
    await bob.call("heartbeat", device_id="laptop")
    await ann.send(room_id, "not seen")
    assert (await post.send())["sent"] == 1


async def test_ten_messages_in_a_row_are_one_push(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await with_phone(bob)
    for number in range(10):
        await ann.send(room_id, f"number {number}")
    await post.send()
    (push,) = post.providers.expo
    assert (push["body"], push["badge"], push["data"]["unread"]) == ("number 9", 10, "10")


async def test_the_badge_goes_when_somebody_reads_on_another_device(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await with_phone(bob)
    sent = await ann.send(room_id, "read me on the laptop")
    await post.send()
    await bob.call("mark_read", room_id=room_id, seq=sent["seq"])
    assert (await post.send())["sent"] == 1
    push = post.providers.expo[-1]
    assert (push["badge"], push["data"]["room_ids"]) == (0, room_id)
    assert push["_contentAvailable"] and "title" not in push and "body" not in push


async def test_the_badge_goes_when_somebody_reads_while_the_provider_has_the_push(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await with_phone(bob)
    sent = await ann.send(room_id, "read me before anybody knows that I was sent")
    released = asyncio.Event()
    post.providers.held["expo"] = released
    sending = asyncio.create_task(post.send())
    await until(lambda: post.providers.expo, DEADLINE_S)
    await bob.call("mark_read", room_id=room_id, seq=sent["seq"])
    released.set()
    assert (await sending)["sent"] == 2
    shown, badge = post.providers.expo
    assert (shown["badge"], shown["body"]) == (1, sent["body"])
    assert (badge["badge"], badge["data"]["room_ids"]) == (0, room_id)
    assert "title" not in badge and "body" not in badge


async def test_android_gets_data_alone_when_somebody_reads_on_another_device(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await register(bob, "tab", "android", "fcm", "bobs-fcm-token")
    sent = await ann.send(room_id, "read me on the laptop")
    await post.send()
    await bob.call("mark_read", room_id=room_id, seq=sent["seq"])
    assert (await post.send())["sent"] == 1
    push = post.providers.fcm[-1]
    assert push["data"] == {"type": "chat_read", "room_ids": room_id, "badge": "0"}
    assert "notification" not in push and "android" not in push
    assert push["apns"]["payload"]["aps"] == {"badge": 0}


async def test_a_payload_of_more_than_three_and_a_half_kilobytes_is_not_sent(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await register(bob, "large", "ios", "expo", f"ExponentPushToken[{'x' * 3500}]")
    token = await with_phone(bob)
    await ann.send(room_id, "fits on one of them")
    summary = await post.send()
    assert (summary["sent"], summary["failed"]) == (1, 1)
    assert [push["to"] for push in post.providers.expo] == [token]


async def test_fcm_gets_a_tag_and_no_collapse_key(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await register(bob, "tab", "android", "fcm", "bobs-fcm-token")
    await ann.send(room_id, "hello")
    assert (await post.send())["sent"] == 1
    (push,) = post.providers.fcm
    assert push["token"] == "bobs-fcm-token"
    assert push["android"]["notification"]["tag"] == room_id
    assert push["apns"]["headers"]["apns-collapse-id"] == room_id
    assert "collapse_key" not in str(push)
    post.providers.dead.add("bobs-fcm-token")
    await ann.send(room_id, "to nobody")
    assert (await post.send())["dead"] == 1
    ((is_active,),) = await post.sql(
        f"select is_active from chat.devices where user_id = '{bob.user_id}'"
    )
    assert not is_active


async def test_a_browser_decrypts_its_push(post: Post, pair: tuple[Member, Member, str]) -> None:
    ann, bob, room_id = pair
    browser = Browser()
    endpoint = f"https://fcm.googleapis.com/wp/{bob.user_id}"
    await register(bob, "browser", "web", "web", browser.subscription(endpoint))
    await ann.send(room_id, "only for Bob")
    assert (await post.send())["sent"] == 1
    ((headers, body),) = post.providers.browsers
    assert b"only for Bob" not in body
    shown = browser.decrypt(body)
    assert (shown["title"], shown["body"], shown["tag"]) == ("Ann", "only for Bob", room_id)
    assert from_base64url(headers["topic"]) == UUID(room_id).bytes and len(headers["topic"]) == 22
    vapid, key = (part.split("=", 1)[1] for part in headers["authorization"].split(", "))
    claims = jwt.decode(
        vapid, post.providers.vapid.public_key(), ["ES256"], audience="https://fcm.googleapis.com"
    )
    assert claims["sub"] == "mailto:push@demo.example"
    assert key == post.providers.environment()["VAPID_PUBLIC_KEY"]
    post.providers.dead.add(f"/web/wp/{bob.user_id}")
    await ann.send(room_id, "gone")
    assert (await post.send())["dead"] == 1


async def test_keys_that_are_none_make_a_subscription_dead(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    browser = Browser()
    forged = browser.subscription("https://fcm.googleapis.com/x").replace(
        base64url(browser.auth), "A" * 22
    )
    await register(bob, "browser", "web", "web", forged.replace('"p256dh": "B', '"p256dh": "A'))
    await ann.send(room_id, "x")
    assert (await post.send())["dead"] == 1


async def with_everything(member: Member) -> None:
    """Register a phone of Expo, one of FCM and a browser."""
    await with_phone(member)
    await register(member, "tab", "android", "fcm", f"fcm {member.user_id}")
    endpoint = f"https://fcm.googleapis.com/wp/{member.user_id}"
    await register(member, "browser", "web", "web", Browser().subscription(endpoint))


@pytest.mark.parametrize(
    "fault",
    [
        answers(429, "slow", **{"Retry-After": "1"}),
        answers(500, "no"),
        answers(503),
    ],
    ids=["429", "500", "503"],
)
async def test_every_provider_that_fails_is_asked_again(
    post: Post, pair: tuple[Member, Member, str], fault: Any
) -> None:
    ann, bob, room_id = pair
    await with_everything(bob)
    await ann.send(room_id, "again")
    providers = post.providers
    providers.faults.extend([fault] * 3)
    assert (await post.send())["retry"] == 3
    assert not (providers.expo or providers.fcm or providers.browsers)
    await post.let_leases_end()
    assert (await post.send())["sent"] == 3
    assert (len(providers.expo), len(providers.fcm), len(providers.browsers)) == (1, 1, 1)


async def test_fcm_that_answers_garbage_is_asked_again(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await register(bob, "tab", "android", "fcm", "bobs-fcm-token")
    await ann.send(room_id, "again")
    post.providers.faults.append(answers(200, "<html>garbage</html>"))
    assert (await post.send())["retry"] == 1
    await post.let_leases_end()
    assert (await post.send())["sent"] == 1


async def test_a_slow_provider_and_one_that_never_answers_hold_up_no_other(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await with_everything(bob)
    await ann.send(room_id, "to all three")
    providers = post.providers
    providers.held = {"expo": asyncio.Event(), "fcm": asyncio.Event()}
    waking = asyncio.create_task(post.send())
    await until(lambda: providers.browsers and providers.expo and providers.fcm, DEADLINE_S)
    providers.held["expo"].set()
    # After ten seconds the function waits for FCM no more.
    summary = await waking
    assert (summary["sent"], summary["retry"]) == (2, 1)
    providers.held["fcm"].set()
    await post.let_leases_end()
    assert (await post.send())["sent"] == 1
    assert (len(providers.expo), len(providers.fcm), len(providers.browsers)) == (1, 2, 1)


@pytest.mark.parametrize(
    "fault",
    [
        answers(200, "<html>garbage</html>"),
        answers(200, '{"data": []}'),
        answers(200, '{"data": "words"}'),
    ],
    ids=["garbage", "too few tickets", "no tickets"],
)
async def test_a_provider_that_fails_is_asked_again(
    post: Post, pair: tuple[Member, Member, str], fault: Any
) -> None:
    ann, bob, room_id = pair
    await with_phone(bob)
    await ann.send(room_id, "again")
    post.providers.faults.append(fault)
    assert (await post.send())["retry"] == 1
    await post.let_leases_end()
    assert (await post.send())["sent"] == 1
    assert [push["body"] for push in post.providers.expo] == ["again"]


async def test_a_redirect_is_not_followed(post: Post, pair: tuple[Member, Member, str]) -> None:
    ann, bob, room_id = pair
    await register(
        bob, "b", "web", "web", Browser().subscription("https://fcm.googleapis.com/moved")
    )
    await ann.send(room_id, "x")
    post.providers.faults.append(answers(307, Location=f"{post.providers.url}/web/elsewhere"))
    assert (await post.send())["failed"] == 1
    assert post.providers.asked == ["/web/moved"]


async def test_one_dead_token_hurts_no_other(post: Post, pair: tuple[Member, Member, str]) -> None:
    ann, bob, room_id = pair
    token = await with_phone(bob)
    await register(bob, "old phone", "ios", "expo", "ExponentPushToken[dead]")
    post.providers.dead.add("ExponentPushToken[dead]")
    await ann.send(room_id, "partly")
    summary = await post.send()
    assert (summary["sent"], summary["dead"]) == (1, 1)
    assert [push["to"] for push in post.providers.expo] == [token]


async def test_a_receipt_that_says_gone_makes_a_device_inactive(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await with_phone(bob)
    await ann.send(room_id, "x")
    await post.send()
    await post.sql("update chat_private.push_deliveries set ticket_at = now() - interval '16 min'")
    assert (await post.send())["dead"] == 1
    assert "/expo/getReceipts" in post.providers.asked
    ((is_active,),) = await post.sql(
        f"select is_active from chat.devices where user_id = '{bob.user_id}'"
    )
    assert not is_active


async def test_a_call_sends_500_pushes_and_wakes_another(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    await with_phone(bob)
    # More than register_device lets anybody have.
    await post.sql(
        f"""
        with made as (
          insert into chat.devices (
            user_id, device_id, platform, push_provider, is_active, last_seen_at
          )
          select '{bob.user_id}', n::text, 'ios', 'expo', true, now()
          from generate_series(1, 520) as n
          returning user_id, device_id
        )
        insert into chat_private.push_tokens (user_id, device_id, token, token_hash)
        select user_id, device_id, 'token ' || device_id, sha256(device_id::bytea) from made
        """
    )
    await ann.send(room_id, "to 521 phones")
    summary = await post.send()
    assert (summary["claimed"], summary["sent"], summary["more"]) == (500, 500, True)
    await until(lambda: len(post.providers.expo) == 521, DEADLINE_S)
    assert len({push["to"] for push in post.providers.expo}) == 521
    await until(lambda: is_settled(post), DEADLINE_S)


async def test_a_call_ends_after_a_minute_and_wakes_another() -> None:
    """With 500 pushes far away: on a clock that each claim moves on by seven seconds."""
    did = await run_in_deno(
        "push_clock.ts",
        SUPABASE_URL="http://127.0.0.1:9",
        SUPABASE_SERVICE_ROLE_KEY="key",
        PUSH_SECRET=SECRET,
        PUSH_WAIT_MS="0",
    )
    assert (did["summary"]["sent"], did["summary"]["more"], did["pokes"]) == (9, True, 1)
    assert 60_000 < did["now"] <= 67_000


async def run_in_deno(script: str, **environment: str) -> Any:
    """Run a script beside this file with Deno; returns the JSON that it printed."""
    process = await asyncio.create_subprocess_exec(
        *(str(find_deno()), "run", "--allow-all", "--no-prompt", "--no-config", "--no-lock"),
        *("--quiet", "--node-modules-dir=none", str(Path(__file__).with_name(script))),
        env={**os.environ, "DENO_NO_PACKAGE_JSON": "1", **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return json.loads(output)


async def is_settled(post: Post) -> bool:
    """Tell whether nothing is left to push."""
    ((is_left,),) = await post.sql(
        "select exists (select from chat_private.push_outbox)"
        " or exists (select from chat_private.push_deliveries where wanted_seq > sent_seq)"
    )
    return not is_left


def process_of(post: Post, victim: str) -> int:
    """The process to kill: a part of the stack, or what runs the function."""
    if victim == "function":
        router = post.stack.status.parts["functions"].pid
        (child,) = subprocess.check_output(["pgrep", "-P", str(router)], text=True).split()
        return int(child)
    pid = post.stack.status.parts[{"door": "gateway", "postgres": "postgres"}[victim]].pid
    assert pid is not None
    return pid


@asynccontextmanager
async def stopped_at(post: Post, step: str, room_id: str) -> AsyncIterator[None]:
    """Let a call of the function come to a step, and stay there until this is left."""
    providers = post.providers
    released = asyncio.Event()
    if step == "claimed":
        providers.faults.append(hangs(released))
    else:
        providers.held["expo"] = released
    calling = asyncio.create_task(post.wake())
    await until(lambda: providers.asked, DEADLINE_S)
    try:
        if step != "completing":
            yield
            return
        await until(lambda: providers.expo, DEADLINE_S)
        url = post.stack.status.db_url
        async with await psycopg.AsyncConnection.connect(url) as lock:
            await lock.execute(
                "select from chat_private.push_deliveries where room_id = %s for update", [room_id]
            )
            released.set()
            waits = "select exists (select from pg_locks where not granted)"
            await until(lambda: has(post, waits), DEADLINE_S)
            with suppress(psycopg.OperationalError):
                try:
                    yield
                finally:
                    await lock.rollback()
    finally:
        released.set()
        providers.held.clear()
        with suppress(httpx.HTTPError):
            await calling


async def has(post: Post, question: str) -> bool:
    """Answer a question of SQL."""
    ((answer,),) = await post.sql(question)
    return bool(answer)


@pytest.mark.parametrize("step", ["claimed", "sent", "completing"])
@pytest.mark.parametrize("victim", ["function", "door", "postgres"])
async def test_nothing_is_lost_when_something_dies_at_any_step_of_a_push(
    post: Post, pair: tuple[Member, Member, str], victim: str, step: str
) -> None:
    ann, bob, room_id = pair
    await with_phone(bob)
    await ann.send(room_id, "survives")
    assert (await post.wake("wrong")).status_code == 401  # The function runs.
    pid = process_of(post, victim)
    async with stopped_at(post, step, room_id):
        os.kill(pid, signal.SIGQUIT if victim == "postgres" else signal.SIGKILL)

    async def is_sent() -> bool:
        with suppress(httpx.HTTPError, psycopg.OperationalError):
            await post.let_leases_end()
            return (await post.wake()).status_code == 200 and await is_settled(post)
        return False

    await until(is_sent, DEADLINE_S)
    if victim != "function":
        assert process_of(post, victim) != pid
    pushes = post.providers.expo
    assert {(push["body"], push["collapseId"]) for push in pushes} == {("survives", room_id)}
    # What a provider has taken may be sent once more, and replaces itself.
    assert len(pushes) <= (1 if step == "claimed" else 2)


async def test_nobody_wakes_the_function_without_the_secret(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    for secret in ("", "wrong", SECRET + "x", post.stack.status.publishable_key):
        assert (await post.wake(secret)).status_code == 401
    assert (await post.wake()).status_code == 200


async def test_a_secret_is_compared_by_all_bytes_of_its_digest() -> None:
    did = await run_in_deno("push_secret.ts")
    assert did == {
        "computed": [True, False, False, False, False, False],
        "byByte": [False] * 32,
        "same": True,
    }


async def test_a_send_and_a_read_wake_the_function_by_themselves(
    post: Post, pair: tuple[Member, Member, str]
) -> None:
    ann, bob, room_id = pair
    pushes = post.providers.expo
    await with_phone(bob)
    await post.let_door_wake(True)
    try:
        await ann.send(room_id, "nobody else wakes")
        await until(lambda: pushes, DEADLINE_S)
        assert [push["body"] for push in pushes] == ["nobody else wakes"]
        await until(lambda: is_settled(post), DEADLINE_S)
        await bob.call("mark_read", room_id=room_id, seq=1)
        await until(lambda: len(pushes) > 1, DEADLINE_S)
        assert (pushes[1]["badge"], "body" in pushes[1]) == (0, False)
    finally:
        await post.let_door_wake(False)
