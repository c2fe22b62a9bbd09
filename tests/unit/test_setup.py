"""What `scripts/setup`, which every script sources, says when something cannot be had."""

import os
import subprocess
from pathlib import Path

SETUP = Path(__file__).parents[2] / "scripts" / "setup"


def set_up(folder: Path, npm: str) -> subprocess.CompletedProcess[str]:
    """Source the set-up in a folder whose Python packages are there, with an npm of ours."""
    (folder / "scripts").mkdir()
    (folder / ".venv").mkdir()
    (folder / "tools").mkdir()
    for lock in ("requirements.lock", "package-lock.json"):
        (folder / lock).write_text("{}\n")
    stamp = subprocess.check_output(["cksum", "requirements.lock"], cwd=folder, text=True)
    (folder / ".venv" / "stamp").write_text(stamp)
    (folder / "tools" / "npm").write_text(f"#!/bin/sh\n{npm}\n")
    (folder / "tools" / "npm").chmod(0o755)
    script = folder / "scripts" / "anything"
    script.write_text(SETUP.read_text() + "echo ready\n")
    path = f"{folder / 'tools'}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", str(script)],
        check=False,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )


def test_packages_that_cannot_be_fetched_name_the_variables_of_a_proxy(tmp_path: Path) -> None:
    answer = set_up(tmp_path, "echo 'self-signed certificate in certificate chain' >&2; exit 1")
    assert answer.returncode != 0
    assert "self-signed" in answer.stderr
    assert "SSL_CERT_FILE" in answer.stderr and "NODE_EXTRA_CA_CERTS" in answer.stderr
    assert "ready" not in answer.stdout


def test_packages_that_are_fetched_make_the_machine_ready_once(tmp_path: Path) -> None:
    assert (
        set_up(tmp_path, 'mkdir -p node_modules; echo "$NODE_USE_SYSTEM_CA"').stdout == "1\nready\n"
    )
    again = subprocess.check_output(["sh", str(tmp_path / "scripts" / "anything")], text=True)
    assert again == "ready\n"
