"""Parley in the migrations of a project: which version they make, and where the next one goes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from parley.installing import found
from parley.installing.found import find_parley
from parley.installing.migration import next_migration
from parley.installing.release import MIGRATIONS, Release, Step, this_release
from parley.project import Project

NOON = dt.datetime(2027, 1, 2, 12, 0, 0, tzinfo=dt.UTC)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with migrations of its own, one of them called like one of ours."""
    project = Project(tmp_path)
    write(project, "20250101000000_profiles.sql", "create table public.profiles (id uuid);\n")
    write(
        project, "20250102000000_chat.sql", "-- create schema chat;\ncreate table public.chat ();"
    )
    return project


def write(project: Project, name: str, text: str) -> Path:
    """Add a migration to a project."""
    path = project.folder / "migrations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_release_as_one_text_can_be_taken_apart_again() -> None:
    release = this_release()
    again = Release.parse(release.sql)
    assert again is not None
    assert again.version == release.version
    assert [each.name for each in again.chapters] == [each.name for each in release.chapters]
    assert again.sql == release.sql
    assert [each.name for each in release.chapters][:2] == ["schemas", "version"]


def test_a_project_without_parley_holds_none(project: Project) -> None:
    assert find_parley(project) is None


def test_a_release_is_found_by_its_content_under_any_name(project: Project) -> None:
    path = write(project, "20260101000000_renamed.sql", this_release().sql)
    held = find_parley(project)
    assert held is not None
    assert (held.version, held.files, held.differences) == (this_release().version, (path,), ())


def test_a_chapter_that_was_edited_in_a_release_is_named(project: Project) -> None:
    text = this_release().sql.replace("create schema chat_private;", "create schema chat_private ;")
    write(project, "20260101000000_parley.sql", text)
    held = find_parley(project)
    assert held is not None
    assert held.differences == (
        f"20260101000000_parley.sql: schemas is not as in Parley {this_release().version}.",
    )


def test_chapters_that_were_copied_one_by_one_are_a_release(project: Project) -> None:
    for path in MIGRATIONS.glob("*.sql"):
        write(project, path.name, path.read_text())
    held = find_parley(project)
    assert held is not None
    assert (held.version, held.differences) == (this_release().version, ())
    assert [path.name for path in held.files] == sorted(p.name for p in MIGRATIONS.glob("*.sql"))


def test_a_copied_chapter_that_is_missing_or_edited_is_named(project: Project) -> None:
    for path in MIGRATIONS.glob("*.sql"):
        write(project, path.name, path.read_text())
    (project.folder / "migrations" / "20261121000300_profiles.sql").unlink()
    audit = project.folder / "migrations" / "20261121000150_audit.sql"
    audit.write_text(audit.read_text() + "select 1;\n")
    held = find_parley(project)
    assert held is not None
    assert held.differences == (
        f"20261121000150_audit.sql: audit is not as in Parley {this_release().version}.",
        f"profiles of Parley {this_release().version} is in no migration.",
    )


def test_a_schema_chat_that_is_not_parleys_is_told_apart(project: Project) -> None:
    write(project, "20250103000000_own.sql", "create schema if not exists chat;")
    held = find_parley(project)
    assert held is not None
    assert not held.is_ours
    assert "20250103000000_own.sql makes a schema chat that is not" in held.differences[0]


def test_a_squashed_project_is_said_to_hold_nothing_as_parley_wrote_it(project: Project) -> None:
    write(project, "20260101000000_all.sql", 'CREATE SCHEMA "chat";\nCREATE SCHEMA "chat_private";')
    held = find_parley(project)
    assert held is not None
    assert held.is_ours
    assert "nothing in it is as Parley wrote it" in held.differences[0]


def test_upgrades_are_followed_and_an_edited_one_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = this_release().version
    known = [Step(version, "8.1", "select 1;\n"), Step("8.1", "8.2", "select 2;\n")]
    monkeypatch.setattr(found, "steps", lambda: known)
    write(project, "20260101000000_parley.sql", this_release().sql)
    write(project, "20260102000000_first.sql", known[0].sql)
    second = write(project, "20260103000000_second.sql", known[1].sql)
    held = find_parley(project)
    assert held is not None
    assert (held.version, len(held.files), held.differences) == ("8.2", 3, ())
    second.write_text(known[1].sql + "select 3;\n")
    held = find_parley(project)
    assert held is not None
    assert held.differences == ("20260103000000_second.sql is not as Parley 8.2 has it.",)


@pytest.mark.parametrize(
    ("last", "number"),
    [("20260101000000", "20270102120000"), ("20991231235959", "20991231235960")],
)
def test_the_next_migration_is_later_than_all_others(
    project: Project, last: str, number: str
) -> None:
    write(project, f"{last}_own.sql", "select 1;")
    path = next_migration(project, "parley_1", NOON)
    assert path == project.folder / "migrations" / f"{number}_parley_1.sql"
