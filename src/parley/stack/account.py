"""The account that Postgres runs under.

Postgres refuses to run as root. As root its files therefore live below ``/var/lib/parley``, which
an unprivileged user can reach whatever the permissions of the checkout are. For any other user
Postgres runs as that user, with the binaries in their cache folder and the data in the state
folder.
"""

from __future__ import annotations

import hashlib
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parley.errors import StateUnusable
from parley.resources import ROOT_HOME

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user id and a group id; both None means the user who runs this process."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def current(cls) -> Account:
        """Return the account for Postgres. Raises StateUnusable when root has none to use."""
        if os.geteuid() != 0:
            return cls()
        for name in UNPRIVILEGED:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        raise StateUnusable(
            "Postgres cannot run as root, and there is no user 'postgres' or 'nobody'.",
            "Create one of them, or start the stack as an ordinary user.",
        )

    @property
    def is_other(self) -> bool:
        """Say whether Postgres runs as somebody else."""
        return self.uid is not None

    def make_folder(self, path: Path) -> None:
        """Create a folder that only this account may enter."""
        path.mkdir(parents=True, exist_ok=True)
        self.own(path)
        path.chmod(0o700)

    def own(self, path: Path) -> None:
        """Hand a file or a folder to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def cluster_folder(home: Path) -> Path:
    """Return where the cluster of the stack with the state folder ``home`` is kept."""
    if os.geteuid() != 0:
        return home / "postgres"
    name = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    return ROOT_HOME / "clusters" / name


def abandoned_clusters() -> Iterator[Path]:
    """Yield root's clusters whose state folder is gone."""
    if os.geteuid() != 0 or not (ROOT_HOME / "clusters").is_dir():
        return
    for cluster in (ROOT_HOME / "clusters").iterdir():
        marker = cluster / "home"
        if marker.is_file() and not Path(marker.read_text()).exists():
            yield cluster
