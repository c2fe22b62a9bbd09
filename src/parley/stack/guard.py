"""A tiny process between the supervisor and one part: the part never outlives the supervisor.

``python -I guard.py UID GID LOCK SIGNAL GRACE COMMAND...`` starts the command as that user (``-``
for the same one), with the descriptor LOCK left open, and holds the read end of a pipe from the
supervisor as its standard input. When the pipe closes, because the supervisor closed it or died,
the guard sends SIGNAL, and SIGKILL after GRACE seconds. It prints the process id of the command and
exits as the command did. It does what Linux' parent-death signal does, on macOS too. It imports
only the standard library, so that it starts fast.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

SURVIVED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Run the command of these arguments and return its exit code."""
    uid, gid = (None if word == "-" else int(word) for word in arguments[:2])
    lock, stop_signal, grace = int(arguments[2]), int(arguments[3]), float(arguments[4])
    for number in SURVIVED:
        signal.signal(number, take_no_notice)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, take_no_notice)
    child = subprocess.Popen(
        arguments[5:],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        pass_fds=(lock,),
        user=uid,
        group=gid,
        extra_groups=None if uid is None else [],
        start_new_session=True,
    )
    os.write(1, f"{child.pid}\n".encode())
    os.close(1)
    wait_for_end(child, wake_read)
    if child.poll() is None:
        child.send_signal(stop_signal)
        kill_after(child, grace)
    code = child.wait()
    # What the command started in its session ends with it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    return code


def take_no_notice(number: int, frame: object) -> None:
    """Do nothing on a signal. (An ignored signal would be inherited by the command.)"""


def wait_for_end(child: subprocess.Popen[bytes], wake: int) -> None:
    """Return when the command has ended or the supervisor has closed the pipe."""
    while child.poll() is None:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            os.read(wake, 512)
        if 0 in ready and not os.read(0, 512):
            return


def kill_after(child: subprocess.Popen[bytes], grace: float) -> None:
    """Wait for the command to end; kill its whole session when the time is over."""
    deadline = time.monotonic() + grace
    while child.poll() is None:
        if time.monotonic() > deadline:
            os.killpg(child.pid, signal.SIGKILL)
            return
        time.sleep(0.01)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.exit(code if code >= 0 else 128 - code)
