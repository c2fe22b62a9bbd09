"""Edge Functions of a project, as a hosted one serves them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from parley.stack import Stack, Status
from parley.stack.control import remove
from parley.stack.state import State
from tests.until import until

CONFIG = """
[api]
schemas = ["demo"]

[functions.open]
verify_jwt = false

[functions.away]
enabled = false
"""
MIGRATION = """
create schema demo;
create table demo.notes (id int primary key);
insert into demo.notes values (1), (2);
grant usage on schema demo to service_role;
grant select on demo.notes to service_role;
"""
TELL = """
import { sign } from "../_shared/sign.ts";
Deno.serve(async (request) => {
  const url = new URL(request.url);
  console.log("asked for", url.pathname);
  return Response.json({
    path: url.pathname + url.search,
    method: request.method,
    body: await request.text(),
    said: sign,
    environment: Deno.env.toObject(),
  }, { status: 201, headers: { "x-said": "yes" } });
});
"""
COUNT = """
import { createClient } from "npm:@supabase/supabase-js@2.119.0";
Deno.serve(async () => {
  const key = JSON.parse(Deno.env.get("SUPABASE_SECRET_KEYS")!).default;
  const client = createClient(Deno.env.get("SUPABASE_URL")!, key, { db: { schema: "demo" } });
  const { data, error } = await client.from("notes").select();
  return Response.json({ notes: data?.length, error });
});
"""
FUNCTIONS = {
    "hello": TELL,
    "open": TELL,
    "away": TELL,
    "count": COUNT,
    "broken": "this is no program",
    "throws": 'Deno.serve(() => { throw new Error("no"); });',
    "dies": "Deno.serve(() => Deno.exit(3));",
}
DEADLINE_S = 60.0


class Project:
    """A project with functions, its stack, and who asks."""

    def __init__(self, root: Path) -> None:
        self.functions = root / "supabase" / "functions"
        self.stack = Stack(root / "state", port=0, db_port=0, project=root)
        for name, source in FUNCTIONS.items():
            self.write(f"{name}/index.ts", source)
        self.write("_shared/sign.ts", 'export const sign = "first";')
        self.write(".env", "OWN_SECRET=from-the-file\nSUPABASE_URL=http://elsewhere\n")
        (root / "supabase" / "migrations").mkdir()
        (root / "supabase" / "migrations" / "20260101000000_demo.sql").write_text(MIGRATION)
        (root / "supabase" / "config.toml").write_text(CONFIG)

    @property
    def status(self) -> Status:
        return self.stack.status

    def write(self, name: str, source: str) -> None:
        path = self.functions / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    async def ask(
        self, path: str, method: str = "POST", token: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = {"apikey": self.status.publishable_key, **more.pop("headers", {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with httpx.AsyncClient(timeout=DEADLINE_S) as client:
            url = f"{self.status.api_url}/functions/v1/{path}"
            return await client.request(method, url, headers=headers, **more)

    @property
    def token(self) -> str:
        state = State.load(self.stack.home)
        assert state is not None
        return state.sign({"role": "authenticated", "sub": "x"}, 60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def project(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Project]:
    project = Project(tmp_path_factory.mktemp("functions"))
    try:
        await project.stack.up()
        yield project
    finally:
        await project.stack.down()
        await remove(project.stack.home)


async def test_a_function_gets_the_request_and_what_hosted_gives_it(project: Project) -> None:
    answer = await project.ask("open/deeper?a=b", content=b"words")
    assert (answer.status_code, answer.headers["x-said"]) == (201, "yes")
    told = answer.json()
    assert (told["path"], told["method"], told["body"]) == ("/open/deeper?a=b", "POST", "words")
    seen = told["environment"]
    assert seen["SUPABASE_URL"] == project.status.api_url
    assert seen["SUPABASE_DB_URL"] == project.status.db_url
    assert json.loads(seen["SUPABASE_SECRET_KEYS"]) == {"default": project.status.secret_key}
    assert seen["SUPABASE_SERVICE_ROLE_KEY"].count(".") == 2
    assert seen["OWN_SECRET"] == "from-the-file"
    assert project.status.jwt_secret not in str(told)
    assert "PGPASSWORD" not in seen and "VIRTUAL_ENV" not in seen


async def test_a_token_is_asked_for_unless_config_toml_says_otherwise(project: Project) -> None:
    assert (await project.ask("hello", token=project.token)).status_code == 201
    missing = await project.ask("hello")
    assert (missing.status_code, missing.json()["message"]) == (
        401,
        "Missing authorization header",
    )
    other = State.fresh(Path())
    for token in (
        other.sign({"role": "service_role"}),
        State.load(project.stack.home).sign({"role": "authenticated"}, -10),  # type: ignore[union-attr]
        project.status.secret_key,
        "a.b.c",
    ):
        refused = await project.ask("hello", token=token)
        assert (refused.status_code, refused.json()["message"]) == (401, "Invalid JWT")
    assert (await project.ask("open")).status_code == 201


async def test_a_preflight_reaches_the_function_itself(project: Project) -> None:
    headers = {"Origin": "http://app.example", "Access-Control-Request-Method": "POST"}
    answer = await project.ask("hello", method="OPTIONS", headers=headers)
    assert (answer.status_code, answer.json()["method"]) == (201, "OPTIONS")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("name", ["nobody", "away", "_shared", "..%2fsecret", ""])
async def test_what_is_no_function_is_not_found(project: Project, name: str) -> None:
    answer = await project.ask(name, token=project.token)
    assert answer.status_code in (400, 404), answer.text
    assert (await project.ask("open")).status_code == 201


async def test_a_function_that_fails_says_so_and_hurts_no_other(project: Project) -> None:
    for name, status in (("broken", 503), ("throws", 500), ("dies", 500)):
        answer = await project.ask(name, token=project.token)
        assert answer.status_code == status, name
    assert (await project.ask("open")).status_code == 201
    log = await asyncio.to_thread(Path(project.status.parts["functions"].log).read_text)
    assert "[open] asked for /open" in log
    assert "[dies] ended with code 3" in log


async def test_a_function_reaches_the_project_through_the_front_door(project: Project) -> None:
    answer = await project.ask("count", token=project.token)
    assert answer.json() == {"notes": 2, "error": None}, answer.text


async def test_a_changed_file_is_served_at_the_next_request(project: Project) -> None:
    assert (await project.ask("open")).json()["said"] == "first"
    project.write("_shared/sign.ts", 'export const sign = "second";')

    async def said() -> str | None:
        found: str = (await project.ask("open")).json().get("said", "first")
        return found if found != "first" else None

    assert await until(said, DEADLINE_S) == "second"


async def test_functions_are_a_part_of_the_stack(project: Project) -> None:
    async with httpx.AsyncClient() as client:
        health = (await client.get(f"{project.status.api_url}/health")).json()
    assert health["parts"]["functions"] == "ready"
    assert project.status.parts["functions"].version.startswith("2.")
