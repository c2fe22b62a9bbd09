"""The state folder: secrets, locks and ports."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from parley.errors import AlreadyRunning, DiskFull, PortTaken, StackError, StateUnusable
from parley.realtime import PROFILES
from parley.stack import Stack
from parley.stack.assembly import settle_port
from parley.stack.lock import hold_parts_lock, hold_supervisor_lock, is_supervised
from parley.stack.port import choose_port
from parley.stack.profile import RealtimeProfile
from parley.stack.state import State, find_home, write_private


def test_a_stack_remembers_its_secrets_and_ports(tmp_path: Path) -> None:
    state = State.fresh(tmp_path)
    state.api_port = 4711
    state.realtime = RealtimeProfile.LOSSY
    state.save()
    loaded = State.load(tmp_path)
    assert loaded == state
    assert loaded is not None and loaded.realtime is RealtimeProfile.LOSSY


def test_realtime_is_plain_unless_something_else_was_chosen(tmp_path: Path) -> None:
    State.fresh(tmp_path).save()
    file = tmp_path / "stack.json"
    values = json.loads(file.read_text())
    assert values.pop("realtime") == "plain"
    file.write_text(json.dumps(values))
    loaded = State.load(tmp_path)
    assert loaded is not None and loaded.realtime is RealtimeProfile.PLAIN


def test_every_profile_of_realtime_has_a_name_and_no_other_is_taken(tmp_path: Path) -> None:
    assert set(RealtimeProfile) == set(PROFILES)
    for name in PROFILES:
        Stack(tmp_path, realtime=name)
    with pytest.raises(StackError) as caught:
        Stack(tmp_path, realtime="perfect")
    assert "'perfect'" in caught.value.detail
    assert "plain, hosted, lossy" in caught.value.hint


def test_two_stacks_share_no_secret(tmp_path: Path) -> None:
    one, other = State.fresh(tmp_path), State.fresh(tmp_path)
    assert one.jwt_secret != other.jwt_secret
    assert one.password != other.password
    assert one.id != other.id


def test_only_the_owner_reads_the_secrets(tmp_path: Path) -> None:
    State.fresh(tmp_path).save()
    assert stat.S_IMODE((tmp_path / "stack.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"realtime": "perfect"}'])
def test_a_damaged_state_is_a_sentence_with_a_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    with pytest.raises(StateUnusable) as caught:
        State.load(tmp_path)
    assert "parley reset" in caught.value.hint


def test_an_empty_folder_has_no_state(tmp_path: Path) -> None:
    assert State.load(tmp_path) is None


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.open", refuse)
        with pytest.raises(DiskFull):
            write_private(tmp_path / "stack.json", "{}")
    write_private(tmp_path / "stack.json", "{}")


def test_each_key_stands_for_a_role(tmp_path: Path) -> None:
    state = State.fresh(tmp_path)
    roles = {
        key: jwt.decode(token, state.jwt_secret, algorithms=["HS256"])["role"]
        for key, token in state.role_tokens.items()
    }
    assert roles == {state.publishable_key: "anon", state.secret_key: "service_role"}


def test_the_folder_comes_from_the_argument_then_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "named"))
    assert find_home(tmp_path / "given") == tmp_path / "given"
    assert find_home(None) == tmp_path / "named"
    monkeypatch.delenv("PARLEY_HOME")
    assert find_home(None) == tmp_path / ".parley"


def test_a_folder_serves_one_supervisor_at_a_time(tmp_path: Path) -> None:
    with hold_supervisor_lock(tmp_path):
        assert is_supervised(tmp_path)
        with pytest.raises(AlreadyRunning) as caught, hold_supervisor_lock(tmp_path):
            pass
        assert "parley down" in caught.value.hint
    assert not is_supervised(tmp_path)
    with hold_supervisor_lock(tmp_path):
        pass


def leave_behind(lock: int, code: str) -> subprocess.Popen[bytes]:
    """Start a process that inherits the lock, as a part does."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        pass_fds=(lock,),
        start_new_session=True,
    )


async def test_a_start_waits_for_the_parts_of_an_earlier_run(tmp_path: Path) -> None:
    async with hold_parts_lock(tmp_path) as lock:
        leftover = leave_behind(lock, "input()")
    waiting = asyncio.ensure_future(hold_parts_lock(tmp_path).__aenter__())
    _, pending = await asyncio.wait([waiting], timeout=0.3)
    assert pending
    leftover.communicate(b"\n")
    assert await asyncio.wait_for(waiting, 5)


async def test_parts_that_stay_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley.stack.lock.LEAVE_SECONDS", 0.2)
    async with hold_parts_lock(tmp_path) as lock:
        leftover = leave_behind(lock, "import time; time.sleep(600)")
    record = {"parts": {"postgres": {"pid": leftover.pid}}}
    (tmp_path / "running.json").write_text(json.dumps(record))
    async with asyncio.timeout(5):
        async with hold_parts_lock(tmp_path):
            pass
    assert leftover.wait(5) == -9


def test_a_taken_port_is_a_sentence_with_a_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            choose_port(port, "Postgres", "--db-port")
        assert str(port) in caught.value.detail
        assert "--db-port" in caught.value.hint
    assert choose_port(port, "Postgres", "--db-port") == port


def test_a_remembered_port_is_kept_and_left_when_any_port_will_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        remembered = taken.getsockname()[1]
        with pytest.raises(PortTaken):
            settle_port(None, remembered, 1, "Postgres", "--db-port")
        assert settle_port(0, remembered, 1, "Postgres", "--db-port") != remembered
    assert settle_port(None, remembered, 1, "Postgres", "--db-port") == remembered
    assert settle_port(0, remembered, 1, "Postgres", "--db-port") == remembered


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StateUnusable) as caught:
        State.fresh(tmp_path / "file").save()
    assert "--data" in caught.value.hint
