"""A made-up next release: the chapters with all kinds of changes in them, and the upgrade to it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from parley.inspection import promises
from parley.installing import release
from parley.installing.release import Release, this_release
from parley.upgrading.functions import functions_text
from parley.versions import __version__

NEXT = "99.0.0"
HERE = Path(__file__).parent
ROWS = HERE / "rows.sql"
"""Puts at least one row into every table of the last release, after tests.make_company()."""
NEW_ROWS = HERE / "new_rows.sql"
"""The same for tables that came since."""

EDITS = (
    ("version", f'"version": "{__version__}"', f'"version": "{NEXT}"'),
    # A column, a constraint on it, and comments.
    (
        "pins",
        "  rev bigint not null,\n  constraint pins_pkey primary key (room_id, seq),\n",
        "  rev bigint not null,\n  note text,\n"
        "  constraint note_is_short check (char_length(note) <= 200),\n"
        "  constraint pins_pkey primary key (room_id, seq),\n",
    ),
    (
        "pins",
        "comment on table chat.pins is 'Messages that a room keeps at hand.';",
        "comment on table chat.pins is 'Messages that a room keeps at hand, with the reason.';\n"
        "comment on column chat.pins.note is 'Why it was pinned.';",
    ),
    # A constraint that is there.
    ("schemas", "check (fanout_limit between 0 and 100)", "check (fanout_limit between 0 and 200)"),
    # A composite type, and the functions that make one.
    (
        "tenant_invites",
        "(invite_id uuid, token text)",
        "(invite_id uuid, token text, expires_at timestamptz)",
    ),
    ("tenant_invites", "row(v_invite_id, v_token)", "row(v_invite_id, v_token, null)"),
    ("invites", "row(v_invite_id, v_token)", "row(v_invite_id, v_token, null)"),
    # The type that a function returns.
    (
        "notifications",
        "create function chat_private.mark_notifications_read(up_to bigint)\nreturns integer",
        "create function chat_private.mark_notifications_read(up_to bigint)\nreturns bigint",
    ),
    (
        "notifications",
        "create function chat.mark_notifications_read(up_to bigint)\nreturns integer",
        "create function chat.mark_notifications_read(up_to bigint)\nreturns bigint",
    ),
    # A policy, a trigger, a grant.
    (
        "devices",
        '"people read their own devices" on chat.devices\n  for select to authenticated\n'
        "  using (user_id = (select auth.uid()));",
        '"people read their own devices" on chat.devices\n  for select to authenticated\n'
        "  using (user_id = (select auth.uid()) and is_active);",
    ),
    (
        "search_profiles",
        "create trigger _100_keep_name after update of display_name, closed_at on",
        "create trigger _100_keep_name after update on",
    ),
    (
        "edit_message",
        "grant select on chat.message_edits to authenticated, service_role;",
        "grant select on chat.message_edits to authenticated;",
    ),
)
"""Chapter, text and text instead."""
DROPPED = "list_thread"


@cache
def next_release() -> Release:
    """Return the chapters of the next release."""
    texts = {each.name: each.text for each in this_release().chapters if each.name != DROPPED}
    for name, old, new in EDITS:
        assert texts[name].count(old) == 1, f"tests/releases: {name} does not have once: {old}"
        texts[name] = texts[name].replace(old, new)
    texts["stickers"] = (HERE / "stickers.sql").read_text()
    return Release(NEXT, tuple(release.Chapter(*each) for each in texts.items()))


@cache
def next_upgrade() -> str:
    """Return the SQL that leads there from the chapters."""
    return re.sub(
        r"\{(the chapter|function|trigger|comment on function) (\S+)\}",
        lambda found: text_of(found[1], found[2]),
        (HERE / "upgrade.sql").read_text().split("\n", 1)[1],
    )


def text_of(kind: str, name: str) -> str:
    """Return a chapter or a statement of the next release; a function replaces the one there is."""
    chapters = {each.name: each.text for each in next_release().chapters}
    if kind == "the chapter":
        return chapters[name]
    ends = {"function": r"(?:\$\$;|\nreturn .*?;)", "trigger": ";", "comment on function": r"\$\$;"}
    start = kind if kind.startswith("comment") else f"create {kind}"
    pattern = re.compile(rf"^{start} {re.escape(name)}\b.*?{ends[kind]}$", re.MULTILINE | re.DOTALL)
    (found,) = [each[0] for text in chapters.values() for each in pattern.finditer(text)]
    return found.replace("create function", "create or replace function", 1)


def publish(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package be that of the next release: what is there now is the release before it."""
    before, after, upgrade = this_release(), next_release(), next_upgrade()
    numbers = {path.stem.partition("_")[2]: path.name for path in release.MIGRATIONS.glob("*.sql")}
    for name in ("migrations", "releases", "upgrades"):
        (folder / name).mkdir(parents=True)
        monkeypatch.setattr(release, name.upper(), folder / name)
    for chapter in after.chapters:
        name = numbers.get(chapter.name, f"20261121009900_{chapter.name}.sql")
        (folder / "migrations" / name).write_text(chapter.text)
    (folder / "releases" / f"{before.version}.sql").write_text(before.sql)
    (folder / "releases" / f"{before.version}.txt").write_text(promises.SNAPSHOT.read_text())
    (folder / "releases" / f"{before.version}.functions.txt").write_text(functions_text())
    (folder / "upgrades" / f"{before.version}_to_{NEXT}.sql").write_text(upgrade)
    monkeypatch.setattr(release, "__version__", NEXT)
    monkeypatch.setattr(promises, "__version__", NEXT)
    monkeypatch.setattr(promises, "RELEASES", folder / "releases")
    monkeypatch.setattr(promises, "SNAPSHOT", folder / "promises.txt")
