"""Files of a room in the hands of a second member, an ex-member, a stranger and another tenant.

Everybody tries every operation that the stand-in for Storage knows, and those of a hosted project.
What policies answer to the operations that only a hosted project knows is tried in
supabase/tests/000505_attachments.sql. The controls: Ann, who sent the file, reads it before and
after, and Bob, a second member, reads it as well.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio

from parley.stack import Status
from tests.e2e.chat_people import Member, room_of, signed_up

BUCKET = "chat-attachments"
SECRET = b"\x89PNG a picture for members"
READS = ("get", "info", "list")
FORGED = "eyJhbGciOiJIUzI1NiJ9.eyJ1cmwiOiJjaGF0LWF0dGFjaG1lbnRzIn0.AAAA"
OPERATIONS: dict[str, tuple[str, str, dict[str, Any] | bytes | None]] = {
    "get": ("GET", "object/{bucket}/{path}", None),
    "get authenticated": ("GET", "object/authenticated/{bucket}/{path}", None),
    "get public": ("GET", "object/public/{bucket}/{path}", None),
    "get by a forged token": ("GET", "object/sign/{bucket}/{path}?token={forged}", None),
    "render": ("GET", "render/image/authenticated/{bucket}/{path}", None),
    "render public": ("GET", "render/image/public/{bucket}/{path}", None),
    "render by a forged token": ("GET", "render/image/sign/{bucket}/{path}?token={forged}", None),
    "info": ("GET", "object/info/{bucket}/{path}", None),
    "info public": ("GET", "object/info/public/{bucket}/{path}", None),
    "list": ("POST", "object/list/{bucket}", {"prefix": "{folder}"}),
    "list all": ("POST", "object/list/{bucket}", {"prefix": ""}),
    "list v2": ("POST", "object/list-v2/{bucket}", {"prefix": "{folder}"}),
    "sign": ("POST", "object/sign/{bucket}/{path}", {"expiresIn": 315360000}),
    "sign many": ("POST", "object/sign/{bucket}", {"expiresIn": 60, "paths": ["{path}"]}),
    "sign upload": ("POST", "object/upload/sign/{bucket}/{beside}", {}),
    "upload by a forged token": (
        "PUT",
        "object/upload/sign/{bucket}/{path}?token={forged}",
        b"other",
    ),
    "overwrite": ("POST", "object/{bucket}/{path}", b"other"),
    "upsert": ("POST", "object/{bucket}/{path}", b"other"),
    "update": ("PUT", "object/{bucket}/{path}", b"other"),
    "resumable upload": ("POST", "upload/resumable", b""),
    "copy": (
        "POST",
        "object/copy",
        {"bucketId": "{bucket}", "sourceKey": "{path}", "destinationKey": "{beside}"},
    ),
    "move": (
        "POST",
        "object/move",
        {"bucketId": "{bucket}", "sourceKey": "{path}", "destinationKey": "{beside}"},
    ),
    "copy to an avatar": (
        "POST",
        "object/copy",
        {
            "bucketId": "{bucket}",
            "sourceKey": "{path}",
            "destinationBucket": "chat-avatars",
            "destinationKey": "{avatar}",
        },
    ),
    "move to an avatar": (
        "POST",
        "object/move",
        {
            "bucketId": "{bucket}",
            "sourceKey": "{path}",
            "destinationBucket": "chat-avatars",
            "destinationKey": "{avatar}",
        },
    ),
    "delete": ("DELETE", "object/{bucket}", {"prefixes": ["{path}"]}),
    "delete one": ("DELETE", "object/{bucket}/{path}", None),
    "list buckets": ("GET", "bucket", None),
    "create bucket": ("POST", "bucket", {"id": "{avatar}", "name": "{avatar}", "public": True}),
    "read bucket": ("GET", "bucket/{bucket}", None),
    "make public": ("PUT", "bucket/{bucket}", {"public": True}),
    "empty bucket": ("POST", "bucket/{bucket}/empty", {}),
    "delete bucket": ("DELETE", "bucket/{bucket}", None),
}


@dataclass(frozen=True)
class Scene:
    """A file that Ann sent, and people around it by what they are."""

    stack: Status
    ann: Member
    people: dict[str, Member]
    room_id: str
    path: str

    async def ask(self, person: Member, operation: str, **names: str) -> httpx.Response:
        """Do an operation of Storage as somebody."""
        method, address, body = OPERATIONS[operation]
        folder = self.path.rpartition("/")[0]
        words = {
            "bucket": BUCKET,
            "path": self.path,
            "folder": folder,
            "beside": f"{self.room_id}/{uuid4()}/x.png",
            "avatar": f"{person.user_id}/{uuid4()}/x.png",
            "forged": FORGED,
            **names,
        }
        headers = {
            "apikey": self.stack.publishable_key,
            "Authorization": f"Bearer {person.token}",
            "x-upsert": str(operation == "upsert").lower(),
        }
        if isinstance(body, bytes):
            headers["Content-Type"] = "image/png"
        if operation == "resumable upload":
            named = {"bucketName": words["bucket"], "objectName": words["path"]}
            headers |= {
                "Tus-Resumable": "1.0.0",
                "Upload-Length": "5",
                "Upload-Metadata": ",".join(
                    f"{key} {b64encode(value.encode()).decode()}" for key, value in named.items()
                ),
            }
        async with httpx.AsyncClient(timeout=60) as client:
            return await client.request(
                method,
                f"{self.stack.api_url}/storage/v1/{address.format(**words)}",
                headers=headers,
                content=body if isinstance(body, bytes) else None,
                json=filled(body, words) if isinstance(body, dict) else None,
            )

    async def upload(self, person: Member) -> httpx.Response:
        """Upload a new file to the room."""
        return await self.ask(person, "overwrite", path=f"{self.room_id}/{uuid4()}/new.png")


def filled(body: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    """Put names into a body."""
    return {
        key: [each.format(**words) for each in value]
        if isinstance(value, list)
        else value.format(**words)
        if isinstance(value, str)
        else value
        for key, value in body.items()
    }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(stack: Status) -> AsyncIterator[Scene]:
    async with signed_up(stack, "Ann", "Bob", "Xen", "Dan", "Tom") as (ann, bob, xen, dan, tom):
        room_id = await room_of(ann, bob, xen)
        with psycopg.connect(stack.db_url, autocommit=True) as owner:
            owner.execute("delete from chat.tenant_members where user_id = %s", [tom.user_id])
        await tom.call("create_tenant", name="Elsewhere")
        people = {"second member": bob, "ex-member": xen, "stranger": dan, "other tenant": tom}
        path = f"{room_id}/{uuid4()}/secret.png"
        scene = Scene(stack, ann, people, room_id, path)
        bucket = ann.client.storage.from_(BUCKET)
        await bucket.upload(path, SECRET, {"content-type": "image/png"})
        await ann.call(
            "send_message",
            room_id=room_id,
            body="",
            client_id=str(uuid4()),
            attachments=[{"path": path}],
        )
        assert (await scene.ask(xen, "get")).content == SECRET, "Xen is a member so far"
        assert (await scene.upload(xen)).is_success
        await ann.call("remove_member", room_id=room_id, user_id=xen.user_id)
        yield scene


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("attacker", ["second member", "ex-member", "stranger", "other tenant"])
async def test_nobody_does_more_to_a_file_than_read_it(
    scene: Scene, attacker: str, operation: str
) -> None:
    may_read = attacker == "second member" and operation in READS
    answer = await scene.ask(scene.people[attacker], operation)
    if may_read:
        assert answer.is_success, answer.text
        if operation.startswith("get"):
            assert answer.content == SECRET
    elif attacker != "second member" or operation not in ("list all", "list v2", "render"):
        assert SECRET not in answer.content
        assert "token=" not in answer.text, "no signed URL"
        assert not answer.is_success or is_nothing(answer.json()), answer.text
    kept = await scene.ask(scene.ann, "get")
    assert (kept.status_code, kept.content) == (200, SECRET)


def is_nothing(body: Any) -> bool:
    """Tell whether an answer that is no refusal has nothing in it."""
    if isinstance(body, list):
        return all(each.get("error") and not each.get("signedURL") for each in body)
    if isinstance(body, dict) and "objects" in body:
        return not body["objects"] and not body["folders"]
    return bool(body == {"message": "Successfully emptied"})


@pytest.mark.parametrize("attacker", ["ex-member", "stranger", "other tenant"])
async def test_nobody_from_outside_uploads_to_a_room(scene: Scene, attacker: str) -> None:
    assert not (await scene.upload(scene.people[attacker])).is_success
    assert (await scene.upload(scene.people["second member"])).is_success


async def test_not_even_the_sender_signs_a_url_and_a_server_does(scene: Scene) -> None:
    for operation in ("sign", "sign many", "sign upload"):
        answer = await scene.ask(scene.ann, operation)
        assert "token=" not in answer.text, operation
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(
            f"{scene.stack.api_url}/storage/v1/object/sign/{BUCKET}/{scene.path}",
            headers={
                "apikey": scene.stack.secret_key,
                "Authorization": f"Bearer {scene.stack.secret_key}",
            },
            json={"expiresIn": 60},
        )
    assert "token=" in answer.text


async def test_signed_out_people_get_nothing(scene: Scene) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        for address in ("object", "object/authenticated", "object/public"):
            answer = await client.get(
                f"{scene.stack.api_url}/storage/v1/{address}/{BUCKET}/{scene.path}",
                headers={"apikey": scene.stack.publishable_key},
            )
            assert not answer.is_success and SECRET not in answer.content
