"""The admin API of Auth, through the official clients, with every kind of key."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from supabase import create_client
from supabase_auth.errors import AuthApiError

from parley.api_sync import SyncChatApi
from parley.errors import SignInRequired
from parley.stack import Status

SCRIPT = Path(__file__).with_name("auth_admin.mjs")
PASSWORD = "parley-demo"


def address() -> str:
    return f"jo-{uuid4().hex[:8]}@parley.example"


def token(stack: Status, role: str, **claims: Any) -> str:
    values = {"role": role, "exp": int(time.time()) + 600, **claims}
    return jwt.encode(values, stack.jwt_secret, algorithm="HS256")


def keys(stack: Status) -> dict[str, str]:
    return {"secret key": stack.secret_key, "service_role JWT": token(stack, "service_role")}


@pytest.mark.parametrize("kind", ["secret key", "service_role JWT"])
async def test_supabase_js_creates_reads_changes_and_deletes_a_user(
    stack: Status, kind: str
) -> None:
    email = address()
    process = await asyncio.create_subprocess_exec(
        *("node", str(SCRIPT), stack.api_url, keys(stack)[kind], email),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    said = json.loads(out)
    made = said["create"]["user"]
    assert (made["email"], made["user_metadata"]) == (email, {"display_name": "Jo"})
    assert made["app_metadata"] == {"provider": "email", "providers": ["email"]}
    assert made["identities"][0]["provider"] == "email"
    assert said["again"]["code"] == "email_exists"
    assert [each["email"] for each in said["list"]["users"]] == [email]
    assert said["get"]["user"]["id"] == made["id"]
    assert said["update"]["user"]["user_metadata"] == {"color": "red"}
    assert said["invite"]["status"] == 501
    assert said["gone"]["status"] == 404


@pytest.mark.parametrize("kind", ["secret key", "service_role JWT"])
def test_a_user_made_by_supabase_py_signs_in_and_has_a_profile(stack: Status, kind: str) -> None:
    server = create_client(stack.api_url, keys(stack)[kind])
    email = address()
    user = server.auth.admin.create_user(
        {
            "email": email,
            "password": PASSWORD,
            "email_confirm": True,
            "user_metadata": {"display_name": "Jo"},
        }
    ).user
    assert server.auth.admin.get_user_by_id(user.id).user.email == email
    assert user.id in {each.id for each in server.auth.admin.list_users(per_page=1000)}

    person = create_client(stack.api_url, stack.publishable_key)
    person.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    told = SyncChatApi(person).list_profiles([UUID(user.id)])
    assert [each.display_name for each in told] == ["Jo"]

    server.auth.admin.update_user_by_id(user.id, {"password": "another-one"})
    with pytest.raises(AuthApiError):
        person.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    person.auth.sign_in_with_password({"email": email, "password": "another-one"})

    server.auth.admin.delete_user(user.id)
    with pytest.raises(AuthApiError):
        person.auth.sign_in_with_password({"email": email, "password": "another-one"})


def test_a_soft_delete_ends_the_account_and_keeps_the_row(stack: Status) -> None:
    server = create_client(stack.api_url, stack.secret_key)
    email = address()
    made = {"email": email, "password": PASSWORD, "email_confirm": True}
    user = server.auth.admin.create_user(made).user  # type: ignore[arg-type]
    person = create_client(stack.api_url, stack.publishable_key)
    person.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    assert SyncChatApi(person).list_heads().user.epoch == 1
    server.auth.admin.delete_user(user.id, should_soft_delete=True)
    with pytest.raises(SignInRequired):
        SyncChatApi(person).list_heads()
    assert server.auth.admin.get_user_by_id(user.id).user.email != email


async def test_nobody_but_the_service_role_gets_in(stack: Status) -> None:
    someone = token(stack, "authenticated", sub=str(uuid4()))
    async with httpx.AsyncClient() as client:
        for headers, status in (
            ({}, 401),
            ({"apikey": "sb_secret_wrong"}, 401),
            ({"apikey": stack.publishable_key}, 403),
            ({"apikey": token(stack, "anon")}, 403),
            ({"apikey": stack.secret_key, "Authorization": f"Bearer {someone}"}, 403),
            ({"Authorization": "Bearer " + token(stack, "service_role", exp=1)}, 401),
            ({"apikey": stack.secret_key}, 200),
            ({"Authorization": f"Bearer {stack.secret_key}"}, 200),
        ):
            answer = await client.get(f"{stack.api_url}/auth/v1/admin/users", headers=headers)
            assert answer.status_code == status, (headers.keys(), answer.text)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "validation_failed"),
        ({"email": "a@b.example", "password": "x"}, 422, "weak_password"),
        ({"email": "a@b.example", "password": "x" * 73}, 400, "validation_failed"),
        ({"email": "a@b.example", "ban_duration": "soon"}, 400, "validation_failed"),
        ({"email": ["a"]}, 400, "bad_json"),
    ],
)
async def test_a_wrong_user_is_refused_in_the_words_of_auth(
    stack: Status, body: dict[str, Any], status: int, code: str
) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{stack.api_url}/auth/v1/admin/users",
            json=body,
            headers={"apikey": stack.secret_key},
        )
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


async def test_a_jwt_is_as_good_as_the_key_of_its_role(stack: Status) -> None:
    url = f"{stack.api_url}/rest/v1/settings?limit=1"
    rooms = f"{stack.api_url}/rest/v1/rooms?limit=1"
    async with httpx.AsyncClient(headers={"Accept-Profile": "chat"}) as client:
        for key, status in (
            (stack.secret_key, 200),
            (token(stack, "service_role"), 200),
            (token(stack, "anon"), 401),
            ("a.b.c", 401),
        ):
            answer = await client.get(
                rooms, headers={"apikey": key, "Authorization": f"Bearer {key}"}
            )
            assert answer.status_code == status, answer.text
        answer = await client.get(url, headers={"apikey": token(stack, "service_role")})
        assert answer.status_code in (401, 403, 404), answer.text
