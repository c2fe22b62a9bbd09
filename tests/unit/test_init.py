"""What ``parley init`` makes of a project's files, and what stops it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from parley.errors import InstallRefused
from parley.installing.config import with_parley
from parley.installing.config_check import ask_about_config
from parley.installing.plan import FUNCTIONS, make_plan
from parley.installing.release import MIGRATIONS, SUPABASE, this_release
from parley.project import Project

EXPOSED = 'schemas = ["public", "graphql_public", "chat"]'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project as 'supabase init' leaves it, in few words."""
    (tmp_path / "supabase").mkdir()
    (tmp_path / "supabase" / "config.toml").write_text('project_id = "x"\n[db]\nport = 1\n')
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('[api]\nschemas = ["a"] # mine\n', '[api]\nschemas = ["a", "chat"] # mine\n'),
        (
            '[api]\nschemas = [\n  "a", # one\n]\n',
            '[api]\nschemas = [\n  "a", # one\n  "chat",\n]\n',
        ),
        (
            "[api] # why\nport = 1\n\n# the database\n[db]\n",
            f"[api] # why\n{EXPOSED}\nport = 1\n\n# the database\n[db]\n",
        ),
        ("[db]\nport = 1\n", f"[db]\nport = 1\n\n[api]\n{EXPOSED}\n"),
        ('api.schemas = ["a"]\napi.port = 1\n', 'api.schemas = ["a", "chat"]\napi.port = 1\n'),
        ("api.port = 1 # one\n", f"api.port = 1 # one\napi.{EXPOSED}\n"),
        ('api = { schemas = ["a"] }\n', 'api = { schemas = ["a", "chat"] }\n'),
        ('[api]\r\nschemas = ["a"]\r\n', '[api]\r\nschemas = ["a", "chat"]\r\n'),
    ],
    ids=[
        "a list",
        "several lines",
        "no key",
        "no section",
        "dots",
        "dots, no key",
        "inline",
        "CRLF",
    ],
)
def test_chat_is_exposed_and_all_else_stays_as_it_was(before: str, after: str) -> None:
    made = with_parley(before)
    assert made.startswith(after.rstrip("\r\n"))
    assert "chat" in tomllib.loads(made)["api"]["schemas"]
    assert with_parley(made) == made


def test_the_database_may_wake_the_functions_and_settings_that_are_there_stay() -> None:
    before = (
        '[api]\nschemas = ["chat"]\n[functions.send-chat-push]\nverify_jwt = true # mine\n'
        "[analytics]\nenabled = true\n"
    )
    made = with_parley(before)
    assert tomllib.loads(made)["functions"] == {
        "send-chat-push": {"verify_jwt": True},
        "collect-chat-files": {"verify_jwt": False},
    }
    assert "verify_jwt = true # mine\n" in made
    assert with_parley(made) == made


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[api]\nschemas = "env(SCHEMAS)"\n', "takes the exposed schemas from elsewhere"),
        ("api = 1\n", "api in config.toml is no section"),
        ("[api\n", "config.toml is no TOML"),
    ],
)
def test_a_config_that_a_program_cannot_change_is_refused(text: str, told: str) -> None:
    with pytest.raises(InstallRefused, match=told):
        with_parley(text)


def test_a_plan_writes_nothing_until_it_is_told_to(project: Project) -> None:
    before = sorted(project.root.rglob("*"))
    plan = make_plan(project)
    shown = [change.describe(project.root) for change in plan.changes]
    assert sorted(project.root.rglob("*")) == before
    version = this_release().version
    assert shown[0].startswith("new file supabase/migrations/")
    assert f"_parley_{version}.sql: " in shown[0]
    assert f"+{EXPOSED}\n" in shown[1]
    plan.write()
    (migration,) = project.migrations
    assert migration.read_text() == this_release().sql
    for folder in FUNCTIONS:
        for path in (SUPABASE / "functions" / folder).glob("*.ts"):
            assert (
                project.folder / "functions" / folder / path.name
            ).read_text() == path.read_text()
    assert make_plan(project).changes == ()


def test_a_function_that_the_project_changed_is_left_alone(project: Project) -> None:
    make_plan(project).write()
    changed = project.folder / "functions" / "send-chat-push" / "index.ts"
    changed.write_text("// mine\n")
    plan = make_plan(project)
    assert (plan.changes, plan.kept) == ((), (changed,))


def test_a_project_that_copied_the_chapters_gets_no_migration(project: Project) -> None:
    (project.folder / "migrations").mkdir()
    for path in MIGRATIONS.glob("*.sql"):
        (project.folder / "migrations" / path.name).write_text(path.read_text())
    plan = make_plan(project)
    assert plan.found is not None
    assert not [change for change in plan.changes if change.path.suffix == ".sql"]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("create schema chat;", "makes a schema chat that is not Parley's"),
        ("create schema chat; create schema chat_private;", "nothing in it is as Parley wrote it"),
    ],
)
def test_what_else_makes_the_schema_is_told_and_nothing_is_written(
    project: Project, sql: str, told: str
) -> None:
    (project.folder / "migrations").mkdir()
    (project.folder / "migrations" / "20260101000000_x.sql").write_text(sql)
    with pytest.raises(InstallRefused, match=told):
        make_plan(project)


def test_a_release_is_no_transaction_block_and_needs_none() -> None:
    lines = {line.lower().strip() for line in this_release().sql.splitlines()}
    assert "create schema chat;" in lines
    assert not lines & {"begin;", "begin transaction;", "start transaction;", "commit;"}
    assert not [line for line in lines if line.startswith(("lock table", "vacuum"))]
    assert not [line for line in lines if "index concurrently" in line]


def test_the_supabase_cli_is_asked_about_the_config(project: Project) -> None:
    config = project.folder / "config.toml"
    config.write_text('project_id = "x"\n[api]\nprot = 1\n')
    opinion = ask_about_config(project)
    assert opinion.complaint is None
    assert "api.prot" in opinion.warnings[0]
    config.write_text('project_id = "x"\n[inbucket]\nenabled = true\n')
    complaint = ask_about_config(project).complaint
    assert complaint is not None
    assert "[inbucket]" in complaint and "[local_smtp]" in complaint
    assert [path.name for path in project.folder.iterdir()] == ["config.toml"]
