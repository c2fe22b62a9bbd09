"""What Postgres is made from, and what is refused before it is started."""

from __future__ import annotations

import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import parley.node
from parley.errors import DiskFull, NodeMissing, OtherMajorVersion, PackagesMissing
from parley.node import find_node
from parley.stack import binaries, postgres
from parley.stack.postgres import Postgres, check_room, check_version
from parley.stack.state import State


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """A server that is never started, with its files below tmp_path."""
    monkeypatch.setattr(postgres, "cluster_folder", lambda home: home / "postgres")
    return Postgres(State.fresh(tmp_path))


def test_a_cluster_of_another_major_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("16\n")
    with pytest.raises(OtherMajorVersion) as caught:
        check_version(tmp_path)
    assert "Postgres 16" in caught.value.detail
    assert "parley reset" in caught.value.hint


def test_a_cluster_of_this_major_version_is_taken(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("17\n")
    check_version(tmp_path)


def test_a_full_disk_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_room(tmp_path / "not" / "yet" / "there") > 0
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(DiskFull) as caught:
        check_room(tmp_path)
    assert "Free some space" in caught.value.hint


def test_a_half_finished_cluster_is_not_complete(cluster: Postgres) -> None:
    cluster.data.mkdir(parents=True)
    (cluster.data / "PG_VERSION").write_text("17\n")
    assert not cluster.is_complete
    cluster.finish()
    assert cluster.is_complete
    assert cluster.is_current


def test_the_cluster_of_an_earlier_stack_in_this_folder_is_not_ours(
    cluster: Postgres, tmp_path: Path
) -> None:
    cluster.folder.mkdir()
    cluster.finish()
    assert not Postgres(State.fresh(tmp_path)).is_complete


def test_the_pid_of_a_killed_server_is_forgotten(cluster: Postgres) -> None:
    cluster.data.mkdir(parents=True)
    (cluster.data / "postmaster.pid").write_text("1\n")
    cluster.forget_leftover()
    cluster.forget_leftover()
    assert list(cluster.data.iterdir()) == []


def test_the_links_between_libraries_are_made_inside_the_package(tmp_path: Path) -> None:
    native = tmp_path / "native"
    (native / "lib").mkdir(parents=True)
    (native / "lib" / "libpq.so.5.17").write_text("library")
    (native / "pg-symlinks.json").write_text(
        '[{"source": "native/lib/libpq.so.5.17", "target": "native/lib/libpq.so"}]'
    )
    binaries.make_links(native)
    binaries.make_links(native)
    assert (native / "lib" / "libpq.so").read_text() == "library"
    assert not (native / "lib" / "libpq.so").readlink().is_absolute()


def test_pgtap_is_unpacked_beside_the_other_extensions(tmp_path: Path) -> None:
    extensions = tmp_path / "share" / "postgresql" / "extension"
    extensions.mkdir(parents=True)
    (tmp_path / "pgtap.control").write_text("control")
    with tarfile.open(tmp_path / "pgtap.tar.gz", "w:gz") as bundle:
        bundle.add(tmp_path / "pgtap.control", "share/postgresql/extension/pgtap.control")
    binaries.unpack_pgtap(tmp_path / "pgtap.tar.gz", tmp_path)
    assert (extensions / "pgtap.control").read_text() == "control"


def test_missing_packages_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parley.node.node_modules().is_dir()
    monkeypatch.setattr(parley.node, "ROOT", tmp_path)
    with pytest.raises(PackagesMissing) as caught:
        parley.node.node_modules()
    assert "npm ci" in caught.value.hint


def test_a_machine_without_a_server_for_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert binaries.package_name().startswith("@embedded-postgres/")
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(PackagesMissing):
        binaries.package_name()


def test_node_is_found_on_the_path() -> None:
    assert Path(find_node()).is_file()


def test_missing_node_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeMissing) as caught:
        find_node()
    assert "Install Node 20" in caught.value.hint


def test_an_old_node_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = tmp_path / "node"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    node.write_text("#!/bin/sh\necho v22.1.0\n")
    node.chmod(0o755)
    assert find_node() == str(node)
    node.write_text("#!/bin/sh\necho v18.20.1\n")
    with pytest.raises(NodeMissing) as caught:
        find_node()
    assert "v18.20.1" in caught.value.detail
