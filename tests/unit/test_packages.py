"""The npm packages that a wheel fetches once: whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parley import node
from parley.cli.packages import fetch_missing_packages
from parley.errors import NodeMissing, PackagesMissing

LITE = "node_modules/@supabase/lite"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the packages belong, for a process that takes itself for a wheel's."""
    monkeypatch.setattr(node, "IS_CHECKOUT", False)
    monkeypatch.setattr(node, "shared_folder", lambda: tmp_path / "cache")
    return node.packages_folder()


def put_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let a script be the first npm on the path."""
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_packages_are_fetched_once_and_it_is_said_where_to(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(PackagesMissing):
        node.node_modules()
    wanted = "test -f package-lock.json && test -f web/package.json"
    made = f"mkdir -p {LITE} && echo {{}} > {LITE}/package.json && echo $* > asked"
    put_npm(tmp_path, monkeypatch, f"{wanted} && {made}")
    fetch_missing_packages()
    assert node.node_modules() == folder / "node_modules"
    assert "--ignore-scripts" in (folder / "asked").read_text()
    assert str(folder) in capsys.readouterr().err.replace("\n", "")
    put_npm(tmp_path, monkeypatch, "exit 1")
    fetch_missing_packages()
    assert capsys.readouterr().err == ""


def test_what_cannot_be_fetched_leaves_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_npm(tmp_path, monkeypatch, f"mkdir -p {LITE}; echo 'no such host' >&2; exit 1")
    with pytest.raises(PackagesMissing, match="no such host") as caught:
        fetch_missing_packages()
    assert "NODE_EXTRA_CA_CERTS" in caught.value.hint
    assert list(folder.parent.iterdir()) == []


def test_a_machine_without_npm_is_told_to_install_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "node").symlink_to(node.find_node())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(NodeMissing, match="npm is not installed"):
        fetch_missing_packages()
    assert not folder.exists()
