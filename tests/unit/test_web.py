"""The TypeScript client: its unit tests, what npm packs of it, and the code of docs/web.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.browser.chromium import find_chromium
from tests.browser.pages import GUIDE, blocks
from tests.packing import ROOT, WEB, pack, run

pytestmark = pytest.mark.lasts(30)

GLOBALS = """
declare global {
  const SUPABASE_URL: string;
  const SUPABASE_KEY: string;
}
export {};
"""
GOES_ON = {
    "open_direct.ts": """
import type { Parley } from "parley-chat";
declare const parley: Parley;
declare const bob: string;
"""
}
"""What stands before a block that goes on from another one."""

DATABASE = """
import type { ChatFunctions, MessagesRow } from "API";
export type TypedDatabase = {
  chat: {
    Tables: { messages: { Row: MessagesRow; Insert: never; Update: never; Relationships: [] } };
    Views: {};
    Functions: ChatFunctions;
  };
  public: {
    Tables: {
      payments: { Row: { id: number; amount: number; status: string; paid_at: string | null } };
      statements: { Row: { id: number; kind: string } };
    };
  };
};
"""
"""What the command of the guide prints, as far as the guide uses it."""

USE = """
import { createParley } from "parley-chat";
import { createClient } from "@supabase/supabase-js";
import { supabase } from "./typed.ts";
createParley({ supabase, name: "my-app" });
createParley({ supabase: createClient("url", "key", { db: { schema: "chat" } }), name: "my-app" });
// @ts-expect-error: it needs a client of supabase-js
createParley({ name: "my-app" });
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an app that has installed what npm packs."""
    folder = tmp_path_factory.mktemp("app")
    modules = folder / "node_modules"
    modules.mkdir()
    pack(folder).rename(modules / "parley-chat")
    for name in ("idb", "react", "react-dom", "@types", "@supabase"):
        (modules / name).symlink_to(ROOT / "node_modules" / name)
    return folder


def test_the_unit_tests_of_the_typescript_client_pass() -> None:
    run(WEB, "node", ROOT / "node_modules" / "vitest" / "vitest.mjs", "run")


def test_the_package_holds_all_entries_with_their_types_and_no_sources(app: Path) -> None:
    package = app / "node_modules" / "parley-chat"
    manifest = json.loads((package / "package.json").read_text())
    assert list(manifest["exports"]) == [".", "./react", "./push", "./push-worker"]
    for entry in manifest["exports"].values():
        assert (package / entry["types"]).is_file()
        assert (package / entry["default"]).is_file()
    assert {path.name for path in package.iterdir()} == {"README.md", "dist", "package.json"}


def test_the_package_can_be_imported(app: Path) -> None:
    script = """
      import * as core from "parley-chat";
      import * as react from "parley-chat/react";
      console.log(typeof core.createParley, typeof react.useRoom);
    """
    assert run(app, "node", "--input-type=module", "--eval", script) == "function function\n"


def test_the_code_of_the_guide_has_the_types_of_the_package(app: Path) -> None:
    for name, code in blocks().items():
        (app / name).write_text(GOES_ON.get(name, "") + code)
    (app / "use.ts").write_text(USE)
    (app / "database.types.ts").write_text(DATABASE.replace("API", str(WEB / "src" / "api.ts")))
    (app / "globals.d.ts").write_text(GLOBALS)
    settings = json.loads((WEB / "tsconfig.json").read_text())
    settings["include"] = ["*.ts", "*.tsx"]
    (app / "tsconfig.json").write_text(json.dumps(settings))
    assert run(app, ROOT / "node_modules" / ".bin" / "tsc") == ""


def test_every_block_of_typescript_in_the_guide_is_named_and_checked() -> None:
    text = GUIDE.read_text()
    assert len(blocks()) == text.count("```ts\n") + text.count("```tsx\n") > 0


@pytest.mark.parametrize(("ci", "outcome"), [("true", "Failed"), ("", "Skipped")])
def test_without_chromium_the_tests_in_browsers_fail_in_ci_and_are_skipped_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: str
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BaseException, match="apt-get install chromium") as caught:
        find_chromium()
    assert type(caught.value).__name__ == outcome
