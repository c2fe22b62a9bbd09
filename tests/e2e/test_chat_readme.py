"""The README tells the truth: its example runs, and what it names exists."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from parley.cli import COMMANDS
from parley.stack import Status

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = PAGES[0].read_text()


def code_blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [code for word, code in blocks if word == language]


@pytest.mark.parametrize(
    ("language", "command"), [("python", [sys.executable, "-W", "ignore"]), ("js", ["node"])]
)
async def test_each_example_runs_and_prints_what_it_says(
    stack: Status, tmp_path: Path, language: str, command: list[str]
) -> None:
    (example,) = code_blocks(README, language)
    path = tmp_path / "talk.mjs"
    path.write_text(example)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    with psycopg.connect(stack.db_url) as connection:
        connection.execute((ROOT / "supabase" / "seed.sql").read_bytes())
    talk = await asyncio.create_subprocess_exec(
        *command,
        str(path),
        env={
            **os.environ,
            "SUPABASE_URL": stack.api_url,
            "SUPABASE_KEY": stack.publishable_key,
            "NODE_NO_WARNINGS": "1",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await talk.communicate()
    assert talk.returncode == 0, complaint.decode()
    assert said.decode() in code_blocks(README, "")


def test_every_command_is_in_the_readme_and_no_other() -> None:
    for command in COMMANDS:
        assert re.search(rf"parley {command}\b|`{command}`", README), command
    assert set(re.findall(r"(?:bin/|`)parley (\w+)", README)) <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("*.md")} - {"README.md"}


async def test_what_the_pages_call_exists(stack: Status) -> None:
    with psycopg.connect(stack.db_url) as connection:
        rows = connection.execute(
            "select proname from pg_proc where pronamespace = 'chat'::regnamespace"
        ).fetchall()
    functions = {name for (name,) in rows}
    named = set(re.findall(r"`(?:chat\.)?(\w+)`", README.split("Everything else")[1].split("…")[0]))
    assert named - {"chat"} <= functions
    assert named


@pytest.mark.parametrize("script", ["demo", "test", "check"])
def test_scripts_that_the_pages_name_can_be_run(script: str) -> None:
    path = ROOT / "scripts" / script
    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", str(path)], check=True)
