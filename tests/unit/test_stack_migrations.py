"""What is known about applied migrations, and how a refusal reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parley.errors import StateUnusable
from parley.project import Project
from parley.stack.lite import to_toml
from parley.stack.migrations import edited_migrations, explain_refusal, remember_digests
from parley.stack.state import State


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one migration, one seed and a config.toml."""
    folder = tmp_path / "project" / "supabase"
    (folder / "migrations").mkdir(parents=True)
    (folder / "migrations" / "20260101000000_first.sql").write_text("select 1;")
    (folder / "seed.sql").write_text("select 2;")
    (folder / "config.toml").write_text('[api]\nschemas = ["public", "chat"]\n')
    return Project(tmp_path / "project")


def test_an_applied_migration_that_was_edited_is_noticed(project: Project, tmp_path: Path) -> None:
    state = State.fresh(tmp_path)
    remember_digests(state, project)
    assert edited_migrations(state, project) == []
    project.migrations[0].write_text("select 3;")
    assert edited_migrations(state, project) == ["20260101000000_first.sql"]
    remember_digests(state, project)
    assert edited_migrations(state, project) == ["20260101000000_first.sql"]


def test_a_refused_migration_is_named_with_the_reason() -> None:
    output = json.dumps({"error": {"message": "ERROR: relation exists\nAt statement: 1"}})
    words = "Target: custom\nApplying migration 1_a.sql...\nApplying migration 2_b.sql...\n"
    assert explain_refusal(output, words) == (
        "The migration 2_b.sql was refused: ERROR: relation exists At statement: 1"
    )


def test_a_refusal_without_json_is_told_in_its_own_words() -> None:
    assert explain_refusal("", "it broke\n") == "The migrations were refused: it broke"
    assert explain_refusal("", "") == "The migrations were refused: it gave no reason"


def test_the_project_around_the_current_folder_is_found(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder / "migrations")
    assert Project.find().root == project.root


def test_elsewhere_the_checkout_is_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Project.find().root == Path(__file__).parent.parent.parent


def test_seeds_are_those_that_the_config_names(project: Project) -> None:
    assert [path.name for path in project.seeds] == ["seed.sql"]
    (project.folder / "config.toml").write_text("[db.seed]\nenabled = false\n")
    assert Project(project.root).seeds == []


def test_a_config_that_is_no_toml_is_a_sentence(project: Project) -> None:
    assert project.section("api") == {"schemas": ["public", "chat"]}
    assert project.section("auth.email") == {}
    (project.folder / "config.toml").write_text("[api")
    with pytest.raises(StateUnusable):
        Project(project.root).section("api")


def test_a_generated_config_is_read_back_as_written(tmp_path: Path) -> None:
    config = {"db": {"url": 'a"b\\c', "port": 1}, "auth.email": {"on": True, "list": ["x", "ü"]}}
    (tmp_path / "supabase").mkdir()
    (tmp_path / "supabase" / "config.toml").write_text(to_toml(config))
    project = Project(tmp_path)
    assert {name: project.section(name) for name in config} == config
