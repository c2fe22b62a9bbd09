"""Files go into storage in every form in which the official clients send them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from storage3.exceptions import StorageApiError
from supabase import create_client

from parley.stack import Status

SCRIPT = Path(__file__).with_name("storage.mjs")


async def test_supabase_js_stores_strings_blobs_files_and_forms(stack: Status) -> None:
    bucket = f"bucket-{uuid4().hex[:8]}"
    process = await asyncio.create_subprocess_exec(
        *("node", str(SCRIPT), stack.api_url, stack.secret_key, bucket),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    said = json.loads(out)
    backs = dict.fromkeys(("string", "buffer", "blob", "file", "form"), "olá")
    assert {name: each["back"] for name, each in said.items()} == {
        **backs,
        "empty": "",
        "large": 3_000_000,
    }
    assert {name: each["stored"] for name, each in said.items()} == dict.fromkeys(said)
    assert all(each["again"] for each in said.values())
    assert {name: each["over"] for name, each in said.items()} == dict.fromkeys(said)
    with psycopg.connect(stack.admin_db_url) as connection:
        rows = connection.execute(
            "select name, metadata ->> 'size' from storage.objects where bucket_id = %s", [bucket]
        ).fetchall()
    assert ("a folder/large.txt", "3000000") in rows


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (
            b"--x\r\nContent-Disposition: form-data; name=cacheControl\r\n\r\n60\r\n--x--\r\n",
            400,
            "no file",
        ),
        (b"nothing of a form", 400, "no form"),
        (b"--x\r\n", 400, "no form"),
    ],
)
async def test_a_form_without_a_file_is_refused_in_words(
    stack: Status, body: bytes, status: int, words: str
) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{stack.api_url}/storage/v1/object/bucket/name.txt",
            content=body,
            headers={
                "apikey": stack.secret_key,
                "Authorization": f"Bearer {stack.secret_key}",
                "Content-Type": "multipart/form-data; boundary=x",
            },
        )
    assert answer.status_code == status, answer.text
    assert words in answer.json()["message"]


def test_policies_ask_which_operation_of_storage_reads_or_writes(stack: Status) -> None:
    bucket = f"bucket-{uuid4().hex[:8]}"
    create_client(stack.api_url, stack.secret_key).storage.create_bucket(bucket)
    ann = create_client(stack.api_url, stack.publishable_key)
    email = f"{uuid4().hex[:8]}ann@parley.example"
    user = ann.auth.sign_up({"email": email, "password": "parley-demo"}).user
    assert user is not None
    files, own = ann.storage.from_(bucket), f"{user.id}/own.txt"
    policies = {
        "uploads": "for insert to authenticated with check"
        " (storage.allow_only_operation('object.upload')"
        " and (storage.foldername(name))[1] = (select auth.uid())::text"
        " and storage.extension(name) = 'txt' and storage.filename(name) = 'own.txt')",
        "downloads": "for select to authenticated using"
        " (storage.allow_any_operation(array['object.copy', 'storage.object.get_authenticated']))",
        "lists": "for select to authenticated using (storage.allow_only_operation('object.list'))",
    }

    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        try:
            for name in ("uploads", "downloads"):
                connection.execute(
                    f'create policy "{bucket} {name}" on storage.objects {policies[name]}'
                )
            files.upload(own, b"kept")
            for elsewhere in (f"{uuid4()}/own.txt", f"{user.id}/own.md", f"{user.id}/other.txt"):
                with pytest.raises(StorageApiError):
                    files.upload(elsewhere, b"refused")
            assert files.download(own) == b"kept"
            assert files.list(user.id) == []
            connection.execute(
                f'create policy "{bucket} lists" on storage.objects {policies["lists"]}'
            )
            assert len(files.list(user.id)) == 1
        finally:
            for name in policies:
                connection.execute(f'drop policy if exists "{bucket} {name}" on storage.objects')
