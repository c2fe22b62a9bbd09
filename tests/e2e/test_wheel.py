"""The wheel alone: built, installed into an empty environment, and used there by an adopter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.lasts(60)

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
NO_PROXY = {"NO_PROXY": "127.0.0.1,localhost"}
MESSAGE = {
    "id": "1",
    "room": "lisbon",
    "sender": "ann@old.example",
    "sent_at": "2024-05-01T10:00:00Z",
    "body": "Wednesday it is.",
}


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Run a command in a folder and return what it prints; fails with that when it fails."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PWD")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**kept, **environment},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", folder, folder=ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def parley(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command ``parley`` of an environment that holds the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("environment")
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / "env", folder=folder)
    run(
        *(UV, "pip", "install", "--quiet", "--constraint", ROOT / "requirements.lock"),
        f"{wheel}[types]",
        folder=folder,
        VIRTUAL_ENV=str(folder / "env"),
    )
    return folder / "env" / "bin" / "parley"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of somebody else's, far from this checkout."""
    migrations = tmp_path / "supabase" / "migrations"
    migrations.mkdir(parents=True)
    (tmp_path / "supabase" / "config.toml").write_text('project_id = "theirs"\n')
    (migrations / "20991231235959_own.sql").write_text("create table public.own (id bigint);\n")
    return tmp_path


def test_a_wheel_carries_what_the_package_needs_and_nothing_else(wheel: Path) -> None:
    assert wheel.name.startswith("parley_chat-")
    with zipfile.ZipFile(wheel) as bundle:
        names = set(bundle.namelist())
    carried = {name.removeprefix("parley/carried/") for name in names if "/carried/" in name}
    supabase = {
        path.relative_to(ROOT).as_posix()
        for folder in ("migrations", "releases", "functions/_parley", "functions/send-chat-push")
        for path in (ROOT / "supabase" / folder).iterdir()
    }
    assert supabase | {"package.json", "package-lock.json", "page/index.html"} <= carried
    assert {"parley/py.typed", "parley/cli/init.py", "parley/stack/platform.sql"} <= names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"parley"}
    assert not [name for name in carried if name.startswith("supabase/tests") or ".env" in name]


def test_an_adopter_works_from_the_wheel_alone(parley: Path, project: Path) -> None:
    def use(*words: str) -> str:
        return run(parley, *words, folder=project, **NO_NETWORK, **NO_PROXY)

    run(parley, "init", folder=project)  # The first time it fetches the npm packages.
    (ours,) = (project / "supabase" / "migrations").glob("*_parley_*.sql")
    assert ours.name > "20991231235959"
    try:
        status: dict[str, Any] = json.loads(use("up", "--detach", "--port", "0", "--json"))
        assert status["data"] == str(project / ".parley")
        with urllib.request.urlopen(f"{status['api_url']}/") as answer:
            assert b"<title>Parley</title>" in answer.read()
        found = {each["name"]: each["good"] for each in look(parley, project)}
        assert found["npm packages"] and found["schema"] and found["functions"]
        use("types", "--schema", "chat", "--schema", "public", "--output", "made")
        assert "class PublicOwnRow" in (project / "made" / "models.py").read_text()
        assert "send_message" in use("types", "--lang", "typescript")
        (project / "old.jsonl").write_text(json.dumps(MESSAGE) + "\n")
        use("import", "old.jsonl")
    finally:
        use("down")
    run("git", "init", "--quiet", folder=project)
    assert ".parley" not in run("git", "status", "--short", "--ignored=no", folder=project)


def look(parley: Path, project: Path) -> list[dict[str, Any]]:
    """Return what ``parley doctor`` finds, whatever it finds."""
    done = subprocess.run(
        [parley, "doctor", "--json"],
        cwd=project,
        env={**os.environ, **NO_NETWORK, **NO_PROXY},
        check=False,
        capture_output=True,
        text=True,
    )
    findings: list[dict[str, Any]] = json.loads(done.stdout)
    return findings
