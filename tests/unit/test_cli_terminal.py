"""Text of others is shown by the terminal and never obeyed, whichever command prints it."""

from __future__ import annotations

import ast
import json
import logging
import os
import pty
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import parley.cli
from parley.cli import local, main
from parley.cli.bars import shown_bars
from parley.cli.doctor import doctor
from parley.cli.logs import logs
from parley.cli.progress import LineProgress, TerminalProgress
from parley.cli.tail import as_local
from parley.cli.terminal import SafeFormatter, on_one_line, put, safe, tell_failure
from parley.cli.types import Generated, types
from parley.codegen.catalog import Catalog
from parley.codegen.files import check
from parley.codegen.hints import Hints
from parley.errors import ParleyError
from parley.finding import Finding
from parley.stack.status import PartStatus, Status
from tests.hostile import HOSTILE, assert_hostile_but_shown, assert_shown

PRINTING = [Path(parley.cli.__file__).parent, Path(parley.__file__).parent / "demo"]


OTHER_WAYS = {"sys.stdout", "sys.stderr", "typer.echo", "typer.secho", "print", "Console"}


@given(st.text())
def test_any_text_is_shown(text: str) -> None:
    assert_shown(safe(text))
    assert "\n" not in on_one_line(text)
    # JSON means the same as before.
    assert json.loads(safe(json.dumps(text, ensure_ascii=False))) == text


def test_what_people_write_stays_as_it_is() -> None:
    for text in (
        "שלום",
        "نامه\u200cها",  # noqa: RUF001
        "👨\u200d👩\u200d👧",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "a\tb\nc",
        "[x] {y} \\",
        "e\u0301",
    ):
        assert safe(text) == text


def test_nothing_prints_by_another_way() -> None:
    for path in sorted(each for folder in PRINTING for each in folder.glob("*.py")):
        if path.name == "terminal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in OTHER_WAYS, f"{path}:{node.lineno}"
            if isinstance(node, ast.Name):
                assert node.id not in OTHER_WAYS, f"{path}:{node.lineno}"


def test_an_error_of_a_server_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ParleyError(HOSTILE, HOSTILE)

    monkeypatch.setattr(parley.cli, "app", fail)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(SystemExit):
        main()
    assert_hostile_but_shown(capsys.readouterr().err)


def test_a_traceback_and_a_log_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    error = ValueError(HOSTILE)
    tell_failure(ValueError, error, None)
    assert_hostile_but_shown(capsys.readouterr().err)
    record = logging.makeLogRecord(
        {"msg": "%s", "args": (HOSTILE,), "exc_info": (None, error, None)}
    )
    assert_hostile_but_shown(SafeFormatter("%(message)s").format(record))


def test_logs_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").mkdir()
    line = HOSTILE.encode("utf-8", "replace").replace(b"\r", b"")
    (tmp_path / "logs" / "lite.log").write_bytes(line + b"\n\xff\xfe\n")
    for as_json in (False, True):
        logs(None, data=tmp_path, lines=5, as_json=as_json)
        shown = capsys.readouterr().out
        assert_shown(shown)
        assert "\\u001b]0;pwned\\u0007" in shown
    assert json.loads(shown.splitlines()[0])["line"].startswith("\x1b]0;pwned\x07")


def test_the_state_of_a_stack_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part = PartStatus(health=HOSTILE, version=HOSTILE, pid=1, restarts=0, log=HOSTILE)
    urls = (
        "data",
        "api_url",
        "db_url",
        "admin_db_url",
        "publishable_key",
        "secret_key",
        "jwt_secret",
    )
    hostile = Status(
        running=True,
        ready=True,
        **dict.fromkeys(urls, HOSTILE),
        realtime=HOSTILE,
        parts={HOSTILE: part},
    )

    async def read(home: Path) -> Status:
        return hostile

    monkeypatch.setattr(local, "read_status", read)
    for as_json in (False, True):
        local.status(as_json=as_json)
        local.introduce(hostile, as_json)
        said = capsys.readouterr()
        assert_hostile_but_shown(said.out)
        assert_shown(said.err)


def test_what_doctor_finds_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Finding(HOSTILE, False, f"{HOSTILE}\n✓ forged: well", HOSTILE)]
    command = import_module("parley.cli.doctor")
    monkeypatch.setattr(command, "inspect_database", lambda *_, **__: found)
    monkeypatch.setattr(command, "describe_project", lambda *_: found[0])
    for as_json in (False, True):
        with pytest.raises(Exception, match="1"):
            doctor("postgresql://there", as_json=as_json)
        shown = capsys.readouterr().out
        assert_hostile_but_shown(shown)
        assert not any(line.startswith("✓") for line in shown.splitlines())


def test_what_a_database_says_to_types_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = import_module("parley.cli.types")
    generated = Generated([HOSTILE], [HOSTILE], [HOSTILE])
    monkeypatch.setattr(command, "generate", lambda *_, **__: generated)
    for as_json in (False, True):
        types(db_url="postgresql://there", as_json=as_json)
        said = capsys.readouterr()
        assert_hostile_but_shown(said.out or said.err)

    def run(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, f"{HOSTILE}\n", HOSTILE)

    monkeypatch.setattr(command, "without_password", lambda url: (url, ""))
    monkeypatch.setattr(command.subprocess, "run", run)
    monkeypatch.setattr(command, "supabase_cli", lambda *_: ["supabase"])
    empty = Catalog((), {}, {}, ())
    monkeypatch.setattr(command, "read", lambda *_: (empty, Hints()))
    assert command.print_typescript("postgresql://there", ("chat",), "anon", None) == 0
    said = capsys.readouterr()
    assert_hostile_but_shown(said.out)
    assert_hostile_but_shown(said.err)

    with pytest.raises(ParleyError) as caught:
        check({tmp_path / "models.py": HOSTILE.replace("\r", "")})
    put(caught.value.detail)
    assert_shown(capsys.readouterr().out)


def test_what_a_start_says_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    LineProgress().warn(HOSTILE)
    assert_hostile_but_shown(capsys.readouterr().err)
    TerminalProgress().warn(HOSTILE)
    assert_hostile_but_shown(capsys.readouterr().err)


def test_any_time_of_a_server_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        assert as_local(first) == first
        assert f"{as_local(last):%H:%M}" == "18:59"
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert (as_local(last), f"{as_local(first):%H:%M}") == (last, "09:18")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_bar_shows_the_name_of_a_file_as_it_is() -> None:
    ours, theirs = pty.openpty()
    script = (
        "import sys, time; from parley.cli.bars import shown_bars\n"
        "with shown_bars() as report: report(sys.argv[1], 1, 2)\n"
    )
    name = "Read [bold]x[/bold] \x1b]0;pwned\x07\u202e.jsonl"
    subprocess.run(
        [sys.executable, "-c", script, name],
        stderr=theirs,
        check=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "Read [bold]x[/bold] \\u001b]0;pwned\\u0007\\u202e.jsonl" in shown
    with shown_bars() as report:
        report(name, 1, 2)


def test_seed_shows_what_a_database_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "parley.cli", "seed", "--db-url", f"postgresql://{'x' * 3}\x1b[2J"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert_shown(done.stderr)
    assert "Traceback" not in done.stderr


def test_lines_of_an_import_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "evil\x1b[2J\u202e.jsonl"
    key = json.dumps("\x1b]0;pwned\x07[bold red]\x9b31m\nx:1: forged")
    line = (
        '{"id": "1", "room": "r", "sender": "s", "sent_at": "2020-01-01T00:00:00Z", "body": "x", '
    )
    path.write_text("\n".join([f"{line}{key}: 1}}"] * 25))
    done = subprocess.run(
        [sys.executable, "-m", "parley.cli", "import", str(path), "--db-url", "postgresql://x"],
        capture_output=True,
        text=True,
        check=False,
        # A terminal that knows ASCII only is no reason to fail.
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert_shown(done.stderr)
    assert "Traceback" not in done.stderr
    assert "[bold red]" in done.stderr
    assert len(done.stderr.splitlines()) == 22
