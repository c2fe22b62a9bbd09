"""``parley types`` on the migrated database."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import LiteralString

import psycopg

from parley.cli.types import generate
from parley.stack import Status

ROOT = Path(__file__).parent.parent.parent


def types(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "parley.cli", "types", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_generated_files_are_fresh(stack: Status) -> None:
    generate(
        stack.db_url,
        ("chat",),
        hints_file=ROOT / "supabase" / "types.toml",
        output=ROOT / "src" / "parley",
        docs=ROOT / "docs",
        only_check=True,
    )


async def test_it_writes_then_agrees_then_shows_what_is_stale(
    stack: Status, tmp_path: Path
) -> None:
    made = types("--db-url", stack.db_url, folder=tmp_path)
    assert (made.returncode, made.stdout) == (0, "")
    assert "Wrote models.py." in made.stderr
    assert types("--db-url", stack.db_url, "--check", folder=tmp_path).returncode == 0
    models = tmp_path / "models.py"
    models.write_text(models.read_text().replace("body: str", "body: bytes", 1))
    stale = types("--db-url", stack.db_url, "--check", folder=tmp_path)
    assert stale.returncode == 1
    assert "-    body: bytes" in stale.stderr and "+    body: str" in stale.stderr
    assert stale.stderr.rstrip().endswith("Generate them again and commit them.")
    assert "Traceback" not in stale.stderr


async def test_a_database_that_is_away_is_one_sentence_and_a_remedy(tmp_path: Path) -> None:
    away = types("--db-url", "postgresql://nobody@127.0.0.1:9/none", folder=tmp_path)
    assert away.returncode == 1
    assert len(away.stderr.splitlines()) == 2
    assert away.stderr.startswith("The database cannot be read: ")


USE = """
import { createClient } from "@supabase/supabase-js";
import type { MessagesKind, MessagesRow, TypedDatabase } from "./database.types.ts";

const supabase = createClient<TypedDatabase>("http://127.0.0.1", "key").schema("chat");
const said = { room_id: "room", body: "Hello", client_id: "id" };
export async function send(): Promise<MessagesKind | undefined> {
  const { data } = await supabase.rpc("send_message", { ...said, reply_to: null });
  const row: MessagesRow | null = data;
  const { data: rows } = await supabase.from("messages").select();
  return row?.seq === rows?.[0]?.seq ? row?.kind : undefined;
}
// @ts-expect-error: a body is a text
void supabase.rpc("send_message", { ...said, body: 5 });
const kind: MessagesKind = "text";
// @ts-expect-error: there is no such kind
const other: MessagesKind = kind === "text" ? "image" : kind;
void other;
"""


async def test_typescript_is_what_the_supabase_cli_says_and_what_supabase_js_takes(
    stack: Status, tmp_path: Path
) -> None:
    hints = ("--hints", str(ROOT / "supabase" / "types.toml"))
    made = types("--db-url", stack.db_url, "--lang", "typescript", *hints, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    assert made.stdout.lstrip().startswith("export type Json"), "words are in the way"
    assert await complaints(made.stdout, USE, tmp_path) == ""


SHOP: LiteralString = """
create schema shop;
create table shop.payments (id bigint primary key, status text not null, cost numeric not null);
create table shop.notes (id bigint primary key, body text not null);
create view shop.costs as select id, cost from shop.payments;
grant select (id, status), insert on shop.payments to authenticated;
grant select on shop.notes to authenticated;
grant select (id) on shop.costs to authenticated;
"""
USE_SHOP = """
import { createClient } from "@supabase/supabase-js";
import type { PaymentsRow, TypedDatabase } from "./database.types.ts";

const shop = createClient<TypedDatabase>("http://127.0.0.1", "key").schema("shop");
export async function read(): Promise<string | undefined> {
  const { data: payments } = await shop.from("payments").select();
  const { data: notes } = await shop.from("notes").select();
  const { data: costs } = await shop.from("costs").select();
  const row: PaymentsRow | undefined = payments?.[0];
  // @ts-expect-error: signed-in people may not read it
  void payments?.[0]?.cost;
  // @ts-expect-error: nor here
  void row?.cost;
  // @ts-expect-error: nor in the view
  void costs?.[0]?.cost;
  void costs?.[0]?.id;
  await shop.from("payments").insert({ id: 1, status: "open", cost: 7 });
  return `${row?.status} ${notes?.[0]?.body}`;
}
"""


async def test_typescript_leaves_out_columns_that_the_role_may_not_read(
    database: str, tmp_path: Path
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SHOP)
    options = ("--db-url", database, "--schema", "shop", "--lang", "typescript")
    made = types(*options, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    assert await complaints(made.stdout, USE_SHOP, tmp_path) == ""


async def complaints(database_types: str, use: str, folder: Path) -> str:
    """Return what the compiler says of a file that uses the types."""
    (folder / "database.types.ts").write_text(database_types)
    (folder / "use.ts").write_text(use)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    settings = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "allowImportingTsExtensions": True,
        "target": "es2022",
        "module": "esnext",
        "moduleResolution": "bundler",
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": settings}))
    tsc = await asyncio.create_subprocess_exec(
        ROOT / "node_modules" / ".bin" / "tsc", cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await tsc.communicate()
    return said.decode()


async def test_programs_are_told_what_was_written(stack: Status, tmp_path: Path) -> None:
    options = ("--db-url", stack.db_url, "--schema", "storage", "--schema", "auth", "--json")
    files = ["models.py", "api.py", "api_sync.py"]
    for written in (files, []):
        made = types(*options, folder=tmp_path)
        assert json.loads(made.stdout) == {"files": files, "written": written, "skipped": []}
    assert "class StorageObjectsRow(Row)" in (tmp_path / "models.py").read_text()
