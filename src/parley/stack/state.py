"""The state folder: what a stack remembers between two starts.

``stack.json`` holds ports, passwords, keys and Realtime's profile (mode 0600), ``running.json``
says what runs, ``lock`` and ``parts`` are locked while something runs, and ``logs/`` has a file for
each part.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt

from parley.errors import DiskFull, StateUnusable
from parley.stack.profile import RealtimeProfile

DEFAULT_HOME = Path(".parley")
ROLE_TOKEN_SECONDS = 10 * 365 * 24 * 3600


@dataclass
class State:
    """Ports, passwords, keys and choices of one stack. A port of 0 has not been chosen yet.

    ``id`` tells this stack from an earlier one in the same folder.
    """

    home: Path
    id: str
    api_port: int
    db_port: int
    admin_password: str
    password: str
    rest_password: str
    jwt_secret: str
    publishable_key: str
    secret_key: str
    realtime: RealtimeProfile = RealtimeProfile.PLAIN
    read_port: int = 0
    replica_db_port: int = 0

    @classmethod
    def fresh(cls, home: Path) -> State:
        """Return a new stack with random secrets."""
        return cls(
            home=home,
            id=secrets.token_hex(8),
            api_port=0,
            db_port=0,
            admin_password=secrets.token_hex(16),
            password=secrets.token_hex(16),
            rest_password=secrets.token_hex(16),
            jwt_secret=secrets.token_hex(32),
            publishable_key=f"sb_publishable_{secrets.token_hex(16)}",
            secret_key=f"sb_secret_{secrets.token_hex(16)}",
        )

    @classmethod
    def load(cls, home: Path) -> State | None:
        """Read the state of a folder; None when there is none. Raises StateUnusable."""
        try:
            values = json.loads((home / "stack.json").read_text())
            profile = RealtimeProfile(values.pop("realtime", RealtimeProfile.PLAIN))
            return cls(home=home, realtime=profile, **values)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise StateUnusable(
                f"The state in {home} cannot be read: {error}.",
                "Run 'parley reset' to start over; that deletes the local database.",
            ) from error

    def save(self) -> None:
        """Write ``stack.json``, readable by its owner only. Raises StateUnusable, DiskFull.

        Git is told to leave the folder alone, because it holds keys and a database.
        """
        write_private(self.home / ".gitignore", "*\n")
        values = {key: value for key, value in asdict(self).items() if key != "home"}
        write_private(self.home / "stack.json", json.dumps(values, indent=2) + "\n")

    def database_url(self, role: str, password: str, port: int | None = None) -> str:
        """Return a URL for one role, on the primary unless a port is given."""
        return f"postgresql://{role}:{quote(password)}@127.0.0.1:{port or self.db_port}/postgres"

    @property
    def db_url(self) -> str:
        """The URL for the role ``postgres``, which applies migrations and is not a superuser."""
        return self.database_url("postgres", self.password)

    @property
    def admin_db_url(self) -> str:
        """The URL for the superuser ``supabase_admin``."""
        return self.database_url("supabase_admin", self.admin_password)

    @property
    def rest_db_url(self) -> str:
        """The URL for the role that REST, Auth and Storage connect as."""
        return self.database_url("lite_rest", self.rest_password)

    @property
    def replica_db_url(self) -> str:
        """The URL of the read replica for the role ``postgres``."""
        return self.database_url("postgres", self.password, self.replica_db_port)

    @property
    def replica_admin_db_url(self) -> str:
        """The URL of the read replica for the superuser ``supabase_admin``."""
        return self.database_url("supabase_admin", self.admin_password, self.replica_db_port)

    @property
    def replica_rest_db_url(self) -> str:
        """The URL of the read replica for the role that REST connects as."""
        return self.database_url("lite_rest", self.rest_password, self.replica_db_port)

    @property
    def api_url(self) -> str:
        """The URL of the front door."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def read_url(self) -> str:
        """The URL at which the read replica answers."""
        return f"http://127.0.0.1:{self.read_port}"

    @cached_property
    def role_tokens(self) -> dict[str, str]:
        """The JWT of each API key."""
        return {
            self.publishable_key: self.sign({"role": "anon"}),
            self.secret_key: self.sign({"role": "service_role"}),
        }

    def sign(self, claims: dict[str, Any], seconds: int = ROLE_TOKEN_SECONDS) -> str:
        """Return a JWT with these claims that Auth, REST and Realtime accept."""
        now = int(time.time())
        return jwt.encode(
            {"iss": "supabase", "iat": now, "exp": now + seconds, **claims},
            self.jwt_secret,
            algorithm="HS256",
        )

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self.home / "logs" / f"{part}.log"

    @property
    def running_file(self) -> Path:
        """The file in which the supervisor says what runs."""
        return self.home / "running.json"


def find_home(data: Path | None) -> Path:
    """Return the state folder: the argument, ``PARLEY_HOME`` or ``.parley`` here."""
    chosen = data or Path(os.environ.get("PARLEY_HOME") or DEFAULT_HOME)
    return chosen.expanduser().resolve()


def write_private(path: Path, text: str) -> None:
    """Replace a file with one that only its owner may read. Raises StateUnusable, DiskFull."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        scratch.replace(path)
    except OSError as error:
        raise refusal(path.parent, error) from error


def refusal(folder: Path, error: OSError) -> StateUnusable | DiskFull:
    """Turn a failed write below a folder into an error with a sentence and a remedy."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"There is no room left for {folder}.", "Free some space, then try again.")
    return StateUnusable(
        f"{folder} cannot be written: {error.strerror}.",
        "Choose another folder with --data, or make this one yours.",
    )
