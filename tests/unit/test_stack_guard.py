"""Parts do not outlive who started them, and tell why they failed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from parley.errors import DiskFull, PartFailed, StackError
from parley.stack.part import Part, Process
from parley.stack.supervisor import Health, Supervisor
from tests.until import until

STAYS = "import time; time.sleep(600)"
STAYS_ON_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "open('deaf', 'w').close(); time.sleep(600)"
)


def make_part(folder: Path, code: str, grace: float = 5.0) -> Part:
    """Describe a part that runs Python code in a folder."""
    lock = os.open(folder / "parts", os.O_RDWR | os.O_CREAT)
    return Part(
        name="example",
        command=[sys.executable, "-c", code],
        log=folder / "example.log",
        lock=lock,
        folder=folder,
        grace=grace,
    )


async def is_ready() -> bool:
    return True


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_part_stops_on_its_signal(tmp_path: Path) -> None:
    process = await make_part(tmp_path, STAYS).begin(is_ready, 5)
    assert is_alive(process.pid)
    await process.stop()
    assert not is_alive(process.pid)


async def test_a_part_that_is_deaf_to_its_signal_is_killed(tmp_path: Path) -> None:
    async def is_deaf() -> bool:
        return (tmp_path / "deaf").exists()

    process = await make_part(tmp_path, STAYS_ON_SIGTERM, grace=0.1).begin(is_deaf, 5)
    async with asyncio.timeout(5):
        await process.stop()
    assert not is_alive(process.pid)


async def test_a_part_ends_when_who_started_it_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; sys.path.insert(0, '.')\n"
        "from pathlib import Path\n"
        "from tests.unit.test_stack_guard import STAYS, is_ready, make_part\n"
        "async def main():\n"
        f"    process = await make_part(Path({str(tmp_path)!r}), STAYS).begin(is_ready, 5)\n"
        "    print(process.pid, flush=True)\n"
        "    await process.wait()\n"
        "asyncio.run(main())\n"
    )
    starter = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
    )
    output = starter.stdout
    assert output is not None
    pid = int(await output.readline())
    assert is_alive(pid)
    starter.kill()
    await starter.wait()
    await until(lambda: not is_alive(pid))


async def test_a_part_ends_when_its_guard_is_killed(tmp_path: Path) -> None:
    process = await make_part(tmp_path, STAYS).begin(is_ready, 5)
    os.kill(process._guard.pid, signal.SIGKILL)
    await process.wait()
    await until(lambda: not is_alive(process.pid))


async def test_a_part_that_ends_while_starting_tells_its_last_words(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    with pytest.raises(PartFailed) as caught:
        await make_part(tmp_path, "import sys; sys.exit('no licence')").begin(never, 5)
    assert "no licence" in caught.value.detail


async def test_a_part_that_met_a_full_disk_says_so(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    words = "import sys; sys.exit('could not write: No space left on device')"
    with pytest.raises(DiskFull):
        await make_part(tmp_path, words).begin(never, 5)


async def test_a_part_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    pids: list[int] = []

    async def never() -> bool:
        pids[:] = (
            [int(pid) for pid in (tmp_path / "pid").read_text().split()]
            if (tmp_path / "pid").exists()
            else []
        )
        return False

    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(PartFailed):
        await make_part(tmp_path, code).begin(never, 0.5)
    assert pids
    assert not is_alive(pids[0])


async def test_what_dies_is_started_again(tmp_path: Path) -> None:
    healths: list[Health] = []
    supervisor = Supervisor(lambda: healths.extend(w.health for w in supervisor.watches.values()))
    # What nobody thought of must not end the watch either.
    failures = [PartFailed("not yet", ""), OSError("the database is away")]
    part = make_part(tmp_path, STAYS)

    async def begin() -> Process:
        if supervisor.watches and failures:
            raise failures.pop()
        return await part.begin(is_ready, 5)

    await supervisor.keep(begin)
    try:
        watch = supervisor.watches["example"]
        first = watch.process.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: watch.restarts == 1)
        assert watch.process.pid != first
        assert is_alive(watch.process.pid)
        assert Health.RESTARTING in healths
        assert not failures
    finally:
        await supervisor.stop("example")
    assert not is_alive(watch.process.pid)


async def test_a_part_that_cannot_start_at_first_is_an_error(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda: None)

    async def begin() -> Process:
        raise PartFailed("no", "")

    with pytest.raises(StackError):
        await supervisor.keep(begin)
    assert not supervisor.watches
