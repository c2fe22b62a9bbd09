"""The life of a stack, as the command line leads it: up, hurt, healed, down."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from supabase import create_client

from parley.resources import ROOT_HOME
from parley.stack.account import cluster_folder
from parley.stack.lock import is_supervised
from parley.stack.state import State
from parley.stack.status import Status, status_of
from tests.until import until_blocking

pytestmark = pytest.mark.lasts(110)

MIGRATION = """
create schema demo;
grant usage on schema demo to anon, authenticated;
create table demo.notes (id bigint generated always as identity primary key, body text not null,
  written_at timestamptz not null default now());
alter table demo.notes enable row level security;
create policy "everybody reads" on demo.notes for select to anon, authenticated using (true);
grant select on demo.notes to anon, authenticated;
create function demo.who_am_i() returns uuid language sql stable return auth.uid();
create function demo.refuse() returns void language plpgsql as $$
begin
  raise exception using errcode = 'PT404', message = 'note_not_found', detail = 'd', hint = 'h';
end $$;
create function public.forgotten() returns int language sql return 1;
create policy "listeners" on realtime.messages for select to authenticated using (true);
create policy "uploaders" on storage.objects for insert to authenticated with check (true);
insert into storage.buckets (id, name) values ('demo', 'demo');
create function demo.tg_users() returns trigger language plpgsql security definer as $$
begin
  insert into demo.notes (body) values ('new user');
  return new;
end $$;
create trigger demo_users after insert on auth.users for each row execute function demo.tg_users();
"""
CONFIG = '[api]\nschemas = ["public", "graphql_public", "demo"]\n'
GRANTS = """
select 'relation', oid::regclass::text, relacl::text from pg_class
union all select 'schema', nspname, nspacl::text from pg_namespace
union all select 'function', oid::regprocedure::text, proacl::text from pg_proc
union all select 'default', defaclrole::regrole || ' ' || defaclnamespace::regnamespace::text
  || defaclobjtype::text, defaclacl::text from pg_default_acl
order by 1, 2
"""


class Local:
    """A project of its own and the command line on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "state"
        folder = root / "supabase"
        (folder / "migrations").mkdir(parents=True)
        (folder / "migrations" / "20260101000000_demo.sql").write_text(MIGRATION)
        (folder / "config.toml").write_text(CONFIG)
        (folder / "seed.sql").write_text("insert into demo.notes (body) values ('seeded');")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``parley`` with these arguments."""
        return subprocess.run(
            [sys.executable, "-m", "parley.cli", *arguments],
            cwd=self.root,
            env={**os.environ, "PARLEY_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def up(self, *options: str) -> Status:
        """Start it in the background and return its urls and keys."""
        result = self.run("up", "--detach", "--port", "0", "--db-port", "0", *options)
        assert result.returncode == 0, result.stderr
        return self.status

    @property
    def status(self) -> Status:
        """Urls and keys, without asking anybody."""
        state = State.load(self.home)
        assert state is not None
        return status_of(state, running=True, ready=True, parts={})

    def stop(self) -> None:
        """Stop it as a signal does, which is quicker than ``parley down``."""
        os.kill(self.supervisor, signal.SIGTERM)
        until_blocking(lambda: not is_supervised(self.home))

    def record(self) -> dict[str, Any]:
        """Return what the supervisor wrote down."""
        record: dict[str, Any] = json.loads((self.home / "running.json").read_text())
        return record

    @property
    def supervisor(self) -> int:
        """The process id of the supervisor."""
        return int(self.record()["pid"])

    def pids(self) -> dict[str, int]:
        """The process ids of the parts."""
        return {name: part["pid"] for name, part in self.record()["parts"].items()}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """A running stack on a project of its own, deleted at the end."""
    local = Local(tmp_path_factory.mktemp("local"))
    try:
        local.up()
        yield local
    finally:
        local.run("reset")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}").exists() or sys.platform != "linux"


def grants(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(GRANTS).fetchall()


def ask(status: Status, path: str) -> tuple[int, str]:
    """GET a path of the front door with the publishable key."""
    request = urllib.request.Request(
        status.api_url + path,
        headers={"apikey": status.publishable_key, "Accept-Profile": "demo"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def is_well(status: Status) -> bool:
    """Say whether the front door finds every part in order."""
    try:
        return ask(status, "/health")[0] == 200
    except OSError:
        return False


def test_status_tells_urls_keys_and_the_health_of_each_part(local: Local) -> None:
    printed = local.run("status", "--json")
    assert printed.returncode == 0
    status = json.loads(printed.stdout)
    assert status["running"] is True
    assert status["ready"] is True
    assert {name: part["health"] for name, part in status["parts"].items()} == {
        "postgres": "ready",
        "lite": "ready",
        "gateway": "ready",
    }
    assert status["parts"]["postgres"]["version"].startswith("17.")
    assert status["publishable_key"].startswith("sb_publishable_")
    assert status["secret_key"].startswith("sb_secret_")
    assert len(status["jwt_secret"]) >= 32
    words = local.run("status").stdout
    for name in ("api_url", "db_url", "admin_db_url"):
        assert status[name] == getattr(local.status, name)
        assert status[name] in words


def test_the_migrating_role_is_powerful_and_no_superuser(local: Local) -> None:
    query = "select current_user::text, usesuper, usebypassrls from pg_user where usename = user"
    with psycopg.connect(local.status.db_url) as connection:
        assert connection.execute(query).fetchone() == ("postgres", False, True)
    with psycopg.connect(local.status.admin_db_url) as connection:
        assert connection.execute(query).fetchone() == ("supabase_admin", True, True)


def test_a_forgotten_revoke_shows(local: Local) -> None:
    with psycopg.connect(local.status.db_url) as connection:
        row = connection.execute(
            "select proacl::text like '%anon=X%' from pg_proc where proname = 'forgotten'"
        ).fetchone()
    assert row == (True,)


def test_a_migration_may_configure_postgrest_and_nothing_else_unknown(local: Local) -> None:
    with psycopg.connect(local.status.db_url) as connection:
        connection.execute("alter role authenticator set pgrst.db_pre_request = 'public.check_it'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("alter role authenticator set mine.setting = 'x'")


def test_postgres_does_not_create_in_the_schemas_of_the_platform(local: Local) -> None:
    with psycopg.connect(local.status.db_url, autocommit=True) as connection:
        connection.execute("create table public.mine (id int); drop table public.mine")
        for schema in ("realtime", "auth", "storage", "_realtime"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"create table {schema}.mine (id int)")


def test_people_sign_up_and_call_functions_through_the_front_door(local: Local) -> None:
    status = local.status
    ann = create_client(status.api_url, status.publishable_key)
    signed_up = ann.auth.sign_up({"email": "ann@example.com", "password": "correct horse"})
    assert signed_up.user is not None
    assert signed_up.user.created_at.tzinfo is not None
    again = ann.auth.sign_in_with_password(
        {"email": "ann@example.com", "password": "correct horse"}
    )
    assert again.user is not None
    assert ann.schema("demo").rpc("who_am_i", {}).execute().data == signed_up.user.id
    notes: Any = ann.schema("demo").table("notes").select("body, written_at").execute().data
    assert [note["body"] for note in notes if note["body"] == "new user"]
    assert notes[0]["written_at"][10] == "T"


def test_an_error_of_a_function_keeps_its_status_and_words(local: Local) -> None:
    code, body = ask(local.status, "/rest/v1/rpc/refuse")
    assert code == 404
    assert json.loads(body)["message"] == "note_not_found"


def test_a_request_without_a_key_is_refused(local: Local) -> None:
    status = local.status
    assert ask(status, "/rest/v1/notes")[0] == 200
    keyless = replace(status, publishable_key="sb_publishable_wrong")
    assert ask(keyless, "/rest/v1/notes")[0] == 401


def test_files_come_back_as_they_went_in(local: Local) -> None:
    status = local.status
    service = create_client(status.api_url, status.secret_key)
    content = os.urandom(300_000)
    service.storage.from_("demo").upload("noise.bin", content)
    assert service.storage.from_("demo").download("noise.bin") == content


def test_functions_are_refused_with_a_sentence(local: Local) -> None:
    code, body = ask(local.status, "/functions/v1/hello")
    assert code == 503
    assert json.loads(body)["message"]


def test_browsers_from_anywhere_may_ask(local: Local) -> None:
    request = urllib.request.Request(
        local.status.api_url + "/rest/v1/notes",
        method="OPTIONS",
        headers={
            "Origin": "https://example.com",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "apikey",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Headers"] == "apikey"


def test_the_seed_runs_when_asked(local: Local) -> None:
    assert '"seeded"' not in ask(local.status, "/rest/v1/notes")[1]
    assert local.run("seed").returncode == 0
    assert '"seeded"' in ask(local.status, "/rest/v1/notes")[1]


def test_a_second_start_is_refused_and_changes_nothing(local: Local) -> None:
    before = local.record()
    result = local.run("up")
    assert result.returncode == 1
    detail, hint = result.stderr.splitlines()
    assert "already runs" in detail
    assert "parley down" in hint
    assert local.record() == before


def test_every_log_is_shown(local: Local) -> None:
    assert "postgres: " in local.run("logs").stdout
    assert "listening" in local.run("logs", "gateway").stdout
    assert local.run("logs", "nothing").returncode == 1


def test_doctor_finds_nothing_wrong(local: Local) -> None:
    result = local.run("doctor", "--json")
    findings = json.loads(result.stdout)
    assert [finding for finding in findings if not finding["good"]] == []
    assert result.returncode == 0


def test_no_secret_is_in_a_log(local: Local) -> None:
    status = local.status
    secrets = [status.secret_key, status.jwt_secret]
    with psycopg.connect(status.db_url) as connection:
        secrets.append(connection.info.password)
    logs = "".join(path.read_text() for path in (local.home / "logs").glob("*.log"))
    assert logs
    assert [secret for secret in secrets if secret in logs] == []


def test_postgres_never_runs_as_root(local: Local) -> None:
    pid = local.pids()["postgres"]
    owner = int(
        subprocess.run(
            ["ps", "-o", "uid=", "-p", str(pid)], capture_output=True, text=True, check=True
        ).stdout
    )
    data = cluster_folder(local.home)
    assert owner != 0
    assert data.stat().st_uid == owner
    if os.geteuid() == 0:
        assert pwd.getpwuid(owner).pw_name in ("postgres", "nobody")
        assert data.is_relative_to(ROOT_HOME)
    else:
        assert data == local.home / "postgres"


@pytest.mark.parametrize("name", ["lite", "gateway"])
def test_a_killed_part_comes_back(local: Local, name: str) -> None:
    before = local.record()["parts"][name]
    os.kill(before["pid"], signal.SIGKILL)
    until_blocking(lambda: local.record()["parts"][name]["restarts"] > before["restarts"])
    until_blocking(lambda: is_well(local.status))
    after = local.record()["parts"][name]
    assert after["pid"] != before["pid"]
    assert ask(local.status, "/rest/v1/notes")[0] == 200


@pytest.mark.parametrize("victim", ["the server", "a connection of lite"])
def test_when_postgres_is_ready_after_a_crash_calls_are_answered_promptly(
    local: Local, victim: str
) -> None:
    status, before = local.status, local.record()["parts"]
    is_over = Event()

    def ask_in_vain() -> None:
        while not is_over.is_set():
            with suppress(OSError):
                ask(status, "/rest/v1/notes")

    def is_ready() -> bool:
        parts = local.record()["parts"]
        is_new = parts["lite"]["restarts"] > before["lite"]["restarts"]
        return is_new and all(part["health"] == "ready" for part in parts.values())

    with ThreadPoolExecutor(10) as others:
        kill_in_postgres(local, victim)
        try:
            for _ in range(10):
                others.submit(ask_in_vain)
            until_blocking(is_ready, 30)
        finally:
            is_over.set()
        started = time.monotonic()
        ann = create_client(status.api_url, status.publishable_key)
        email = f"ann-{uuid4()}@example.com"
        person = ann.auth.sign_up({"email": email, "password": "correct horse"}).user
        assert person is not None
        assert ann.schema("demo").rpc("who_am_i", {}).execute().data == person.id
        assert ann.storage.from_("demo").upload(f"{person.id}.txt", b"here again").path
        assert time.monotonic() - started < 5


def kill_in_postgres(local: Local, victim: str) -> None:
    """Kill the server, or one of its processes, after which it ends all the others itself."""
    pid = local.pids()["postgres"]
    if victim != "the server":
        of_lite = "select pid from pg_stat_activity where usename = 'lite_rest'"
        with psycopg.connect(local.status.admin_db_url) as connection:
            ((pid, *_), *_) = connection.execute(of_lite).fetchall()
    os.kill(pid, signal.SIGKILL)


def test_lite_and_postgres_come_back_when_both_are_killed(local: Local) -> None:
    before = local.record()["parts"]
    os.kill(before["lite"]["pid"], signal.SIGKILL)
    os.kill(before["postgres"]["pid"], signal.SIGQUIT)
    until_blocking(lambda: local.record()["parts"]["postgres"]["pid"] != before["postgres"]["pid"])
    until_blocking(lambda: local.record()["parts"]["lite"]["pid"] != before["lite"]["pid"])
    until_blocking(lambda: is_well(local.status))
    assert ask(local.status, "/rest/v1/notes")[0] == 200


def test_a_restart_of_lite_grants_nothing(local: Local) -> None:
    status = local.status
    assert ask(status, "/rest/v1/notes")[0] == 200
    before = grants(status.admin_db_url)
    restarts = local.record()["parts"]["lite"]["restarts"]
    os.kill(local.pids()["lite"], signal.SIGTERM)
    until_blocking(lambda: local.record()["parts"]["lite"]["restarts"] > restarts)
    assert ask(status, "/rest/v1/notes")[0] == 200
    assert grants(status.admin_db_url) == before


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_works(local: Local) -> None:
    before = local.status
    pids = local.pids()
    os.kill(local.supervisor, signal.SIGKILL)
    after = local.up()
    assert [name for name, pid in pids.items() if is_alive(pid)] == []
    until_blocking(lambda: is_well(after))
    assert after.api_url == before.api_url
    assert after.db_url == before.db_url
    assert '"seeded"' in ask(after, "/rest/v1/notes")[1]


def test_sigterm_stops_everything(local: Local) -> None:
    pids = [*local.pids().values(), local.supervisor]
    local.stop()
    until_blocking(lambda: not any(is_alive(pid) for pid in pids))
    assert "(stopped)" in local.run("status").stdout
    assert local.run("down").returncode == 0
    assert local.run("seed").returncode == 1


def test_a_new_migration_is_applied_at_the_next_start(local: Local) -> None:
    migration = local.root / "supabase" / "migrations" / "20260102000000_more.sql"
    migration.write_text("create function demo.more() returns int language sql return 42;")
    status = local.up()
    assert ask(status, "/rest/v1/rpc/more") == (200, "42")
    assert local.run("down").returncode == 0
    assert not is_supervised(local.home)


def test_a_refused_migration_is_a_sentence(local: Local) -> None:
    migration = local.root / "supabase" / "migrations" / "20260103000000_wrong.sql"
    migration.write_text("create table demo.notes (id int);")
    result = local.run("up", "--detach")
    assert result.returncode == 1
    detail, hint = result.stderr.splitlines()[-2:]
    assert "20260103000000_wrong.sql" in detail
    assert "already exists" in detail
    assert "parley reset" in hint
    migration.unlink()


def test_a_taken_port_is_a_sentence(local: Local) -> None:
    state = State.load(local.home)
    assert state is not None
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", state.api_port))
        taken.listen()
        result = local.run("up")
    assert result.returncode == 1
    assert str(state.api_port) in result.stderr.splitlines()[0]
    assert "--port" in result.stderr.splitlines()[1]


def test_data_of_another_major_version_is_a_sentence(local: Local) -> None:
    version = cluster_folder(local.home) / "data" / "PG_VERSION"
    version.write_text("16\n")
    result = local.run("up")
    version.write_text("17\n")
    assert result.returncode == 1
    assert "Postgres 16" in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_node_missing_is_a_sentence(local: Local, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "parley.cli", "up"],
        cwd=local.root,
        env={**os.environ, "PARLEY_HOME": str(local.home), "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "Node" in result.stderr.splitlines()[0]
    assert len(result.stderr.splitlines()) == 2


def test_none_of_these_refusals_broke_anything(local: Local) -> None:
    assert '"seeded"' in ask(local.up(), "/rest/v1/notes")[1]
    local.stop()


def test_a_half_finished_database_is_made_anew(local: Local) -> None:
    (cluster_folder(local.home) / "complete").unlink()
    (cluster_folder(local.home) / "data" / "global" / "pg_control").unlink()
    status = local.up()
    assert ask(status, "/rest/v1/notes") == (200, "[]")


def test_env_prints_what_a_shell_can_take(local: Local) -> None:
    told = json.loads(local.run("env", "--json").stdout)
    assert told["SUPABASE_URL"] == local.status.api_url
    script = local.run("env").stdout + 'printf %s "$DATABASE_URL $SUPABASE_SERVICE_KEY"'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert shell.stdout == f"{local.status.db_url} {local.status.secret_key}"


def test_a_stopped_stack_says_so(local: Local) -> None:
    assert local.run("status").returncode == 0
    local.stop()
    for words in (["status"], ["status", "--json"]):
        told = local.run(*words)
        assert told.returncode == 3
        assert "(stopped)" in told.stdout or json.loads(told.stdout)["running"] is False


def test_reset_leaves_nothing(local: Local) -> None:
    assert local.run("reset").stderr == f"Deleted the stack in {local.home}.\n"
    assert local.run("reset").stderr == f"There is no stack in {local.home}.\n"
    assert not local.home.exists()
    assert not cluster_folder(local.home).exists()
    assert local.run("status").returncode == 1
