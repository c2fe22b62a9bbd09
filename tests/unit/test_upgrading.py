"""Leading a project to the next release: what is written, what is refused, and what CI is told."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parley.cli import app
from parley.errors import NotInstalled, UpgradeRefused
from parley.installing import release
from parley.installing.config import with_parley
from parley.installing.found import find_parley
from parley.installing.plan import function_files
from parley.installing.release import this_release
from parley.project import Project
from parley.upgrading import plan_uninstall, plan_upgrade
from parley.versions import __version__
from tests.releases import NEXT, next_upgrade, publish


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with this release, and a migration of its own that is dated far ahead."""
    project = Project(tmp_path / "project")
    folder = project.folder / "migrations"
    folder.mkdir(parents=True)
    (project.folder / "config.toml").write_text("")
    (folder / "20260101000000_chat.sql").write_text(this_release().sql)
    (folder / "29990101000000_own.sql").write_text("create table public.own ();\n")
    for path, text in function_files(project):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return project


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The package is that of the made-up next release; returns its version."""
    publish(tmp_path / "package", monkeypatch)
    return NEXT


def run(project: Project, *words: str) -> tuple[int, str]:
    """Run ``parley upgrade`` in a project; returns its exit code and what it printed."""
    done = CliRunner().invoke(app, ["upgrade", "--project", str(project.root), *words])
    return done.exit_code, done.stdout


def names(project: Project) -> list[str]:
    """The names of a project's migrations."""
    return [path.name for path in project.migrations]


def test_an_upgrade_is_one_migration_later_than_all_others(
    project: Project, published: str
) -> None:
    before = names(project)
    assert run(project, "--check") == (
        1,
        f"The project has Parley {__version__}, and this package is Parley {published}. Run "
        "'parley upgrade', read the migration that it writes, then run "
        "'supabase db push --remote'.\n",
    )
    name = f"29990101000001_parley_{__version__}_to_{published}.sql"
    assert run(project) == (0, f"supabase/migrations/{name}\n")
    assert names(project) == [*before, name]
    assert next_upgrade().strip() in (project.folder / "migrations" / name).read_text()
    held = find_parley(project)
    assert held is not None
    assert (held.version, held.differences) == (published, ())


def test_a_second_upgrade_changes_nothing(project: Project, published: str) -> None:
    run(project)
    before = names(project)
    assert run(project) == (0, "")
    assert names(project) == before
    assert run(project, "--check") == (
        0,
        f"The project has Parley {published}, as this package.\n",
    )


def test_a_dry_run_prints_the_sql_and_writes_nothing(project: Project, published: str) -> None:
    before = names(project)
    code, printed = run(project, "--dry-run")
    assert code == 0
    assert f"-- Parley {__version__} to {published}: " in printed
    assert next_upgrade().strip() in printed
    assert names(project) == before


def test_every_release_in_between_is_a_migration_of_its_own(
    project: Project, published: str, tmp_path: Path
) -> None:
    between = "98.0.0"
    for before, after in ((__version__, between), (between, published)):
        (release.UPGRADES / f"{before}_to_{after}.sql").write_text(f"select '{after}';")
    (release.UPGRADES / f"{__version__}_to_{published}.sql").unlink()
    plan = plan_upgrade(project)
    assert [(each.before, each.after) for each in plan.steps] == [
        (__version__, between),
        (between, published),
    ]
    assert [path.name for path in plan.write()] == [
        f"29990101000001_parley_{__version__}_to_{between}.sql",
        f"29990101000002_parley_{between}_to_{published}.sql",
    ]
    held = find_parley(project)
    assert held is not None
    assert held.version == published


def test_no_release_is_skipped(project: Project, published: str) -> None:
    (release.UPGRADES / f"{__version__}_to_{published}.sql").rename(
        release.UPGRADES / f"98.0.0_to_{published}.sql"
    )
    with pytest.raises(UpgradeRefused, match=f"leads from Parley {__version__}"):
        plan_upgrade(project)


@pytest.mark.usefixtures("published")
def test_an_edited_migration_is_not_gone_on_from(project: Project) -> None:
    path = project.folder / "migrations" / "20260101000000_chat.sql"
    path.write_text(path.read_text().replace("create schema chat_private;", "-- nothing"))
    with pytest.raises(UpgradeRefused, match="schemas is not as in Parley"):
        plan_upgrade(project)
    assert run(project, "--check")[0] == 1


def test_a_newer_project_needs_the_newer_package(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        publish(tmp_path / "package", newer)
        run(project)
        published = (tmp_path / "package").rename(tmp_path / "newer")
    monkeypatch.setattr(release, "UPGRADES", published / "upgrades")
    with pytest.raises(UpgradeRefused, match="is Parley " + __version__) as refusal:
        plan_upgrade(project)
    assert f"parley-chat=={NEXT}" in refusal.value.hint


def test_a_project_without_parley_is_sent_to_init(tmp_path: Path) -> None:
    (tmp_path / "supabase" / "migrations").mkdir(parents=True)
    with pytest.raises(NotInstalled, match="There is no Parley"):
        plan_upgrade(Project(tmp_path))


def test_after_an_uninstall_there_is_no_parley_and_it_can_come_back(project: Project) -> None:
    plan_uninstall(project, None).write()
    assert find_parley(project) is None
    again = project.folder / "migrations" / "29990101000003_again.sql"
    again.write_text(this_release().sql)
    held = find_parley(project)
    assert held is not None
    assert held.files == (again,)


def test_functions_that_nobody_changed_are_brought_up_to_date(
    project: Project, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (changed, _), (untouched, text), *_ = function_files(project)
    changed.write_text("// our own\n")
    newer = [(path, f"{text}// {published}\n") for path, text in function_files(project)]
    monkeypatch.setattr("parley.upgrading.upgrade.function_files", lambda _: newer)
    plan = plan_upgrade(project)
    assert plan.kept == (changed,)
    plan.write()
    assert changed.read_text() == "// our own\n"
    assert untouched.read_text() == f"{text}// {published}\n"


def test_an_uninstall_takes_out_of_the_folder_what_an_installation_put_there(
    project: Project,
) -> None:
    config = project.folder / "config.toml"
    before = (
        '# theirs\n[api]\nschemas = ["public"] # one\n\n[functions.theirs]\nverify_jwt = true\n'
    )
    config.write_text(with_parley(before))
    assert config.read_text() != before
    (changed, text), (untouched, _), *_ = function_files(project)
    changed.write_text(f"{text}// ours")
    plan_uninstall(project, None).write()
    assert tomllib.loads(config.read_text()) == tomllib.loads(before)
    assert "# theirs" in config.read_text()
    assert changed.is_file()
    assert not untouched.exists()
