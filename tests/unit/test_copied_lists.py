"""What is written down twice, in SQL, in Python or on a page, is the same in all places."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parley.errors import ApiError, ParleyError
from parley.models import MessagesRow
from parley.realtime.database.errors import ProbeError
from parley.realtime.settings import Limits
from parley.sync.emoji import TEXT_BY_DEFAULT
from parley.sync.errors import SyncError
from parley.sync.kinds import ROOM_KINDS, USER_KINDS
from parley.sync.view_models import Message
from tests.unit.sync_fakes import message

ROOT = Path(__file__).parents[2]
COPY = sorted((ROOT / "src" / "parley" / "sync").rglob("notification*.sql"))
REALTIME = ROOT / "src" / "parley" / "realtime"
PROTOCOL = (ROOT / "docs" / "realtime-protocol.md").read_text()
WORDS = (ROOT / "docs" / "words.md").read_text()
(NOTIFICATIONS,) = (ROOT / "supabase" / "migrations").glob("*_notifications.sql")
(NOTIFY,) = (ROOT / "supabase" / "migrations").glob("*_notify.sql")
# Codes in the texts of refused joins, and those of refused tokens.
REASONS = re.compile(r'(?<!")"([A-Z][A-Za-z]+): \w|TokenError\(\s*"(\w+)"')
KINDS = re.compile(r"kind(?:'|\b)\s*(?:not\s+)?in \(([^)]*)\)")


def kinds_in(path: Path) -> list[set[str]]:
    """Return each list of kinds that a file compares with."""
    return [set(re.findall(r"'(\w+)'", words)) for words in KINDS.findall(path.read_text())]


def test_a_message_in_python_has_every_column() -> None:
    missing = set(MessagesRow.model_fields) - set(Message.model_fields)
    assert not missing, f"add {sorted(missing)} to the model {Message.__module__}.Message"


def test_the_message_that_unit_tests_use_has_every_column() -> None:
    missing = set(MessagesRow.model_fields) - set(message(1, 1, "x"))
    assert not missing, f"add {sorted(missing)} to message() in tests/unit/sync_fakes.py"


@pytest.mark.parametrize(
    "path", [path for path in COPY if kinds_in(path)], ids=lambda path: path.stem
)
def test_the_copy_ends_the_kinds_of_notifications_that_the_server_ends(path: Path) -> None:
    (of_server,) = kinds_in(NOTIFICATIONS)
    for of_copy in kinds_in(path):
        assert of_copy == of_server, (
            f"{path.name} and chat_private.notification_stands name different kinds of "
            "notifications that end with their room or message"
        )


def test_every_kind_of_notification_is_explained() -> None:
    chapter = NOTIFICATIONS.read_text()
    (standing,) = kinds_in(NOTIFICATIONS)
    (words,) = re.findall(r"notify\.kind !~ '\^\((.*?)\)", NOTIFY.read_text())
    known = set(words.split("|"))
    assert standing <= known
    (of_kind,) = re.findall(r"column chat\.notifications\.kind is\s+'(.*?)';", chapter)
    (of_list,) = re.findall(
        r"function chat\.list_notifications.*? is\s+\$\$(.*?)\$\$", chapter, re.S
    )
    (of_word,) = re.findall(r"\*\*notification\*\* \|.*", WORDS)
    for place, text, kinds in (
        ("the comment on the column kind", of_kind, known),
        ("the comment on chat.list_notifications", of_list, standing),
        ("docs/words.md, at notification", of_word, standing),
    ):
        missing = {kind for kind in kinds if not re.search(rf"\b{kind}\b", text)}
        assert not missing, f"{place} does not name {sorted(missing)}"


def test_a_limit_of_realtime_is_enforced_somewhere() -> None:
    code = "\n".join(path.read_text() for path in REALTIME.rglob("*.py"))
    idle = [
        name for name in Limits.__dataclass_fields__ if not re.search(rf"limits\.{name}\b", code)
    ]
    assert not idle, f"nothing in src/parley/realtime reads the limits {idle}"


def test_every_limit_of_realtime_is_on_the_page_of_the_protocol() -> None:
    missing = [name for name in Limits.__dataclass_fields__ if f"`{name}`" not in PROTOCOL]
    assert not missing, f'the table "Limits" of docs/realtime-protocol.md lacks {missing}'


def test_every_reason_of_a_refused_join_is_on_the_page_of_the_protocol() -> None:
    code = "\n".join(path.read_text() for path in REALTIME.rglob("*.py"))
    raised = {name for found in REASONS.findall(code) for name in found if name}
    raised |= {each.code for each in ProbeError.__subclasses__() if "code" in vars(each)}
    assert {"PrivateOnly", "MalformedJWT", "QueryCanceled"} <= raised
    missing = {each for each in raised if f"`{each}`" not in PROTOCOL}
    assert not missing, f"docs/realtime-protocol.md does not explain {sorted(missing)}"


def test_the_typescript_client_knows_every_error_of_the_api() -> None:
    listed = re.findall(r"^  (\w+): (\d+),$", (ROOT / "web/src/errors.ts").read_text(), re.M)
    of_web = {slug: int(status) for slug, status in listed}
    of_python = {
        kind.slug: kind.status
        for kind in ParleyError.registry.values()
        if issubclass(kind, ApiError | SyncError)
    }
    assert {slug: of_python.get(slug) for slug in of_web} == of_web
    assert {slug for slug, kind in ParleyError.registry.items() if issubclass(kind, ApiError)} <= (
        of_web.keys()
    )


def test_the_typescript_client_spells_the_same_characters_with_a_selector() -> None:
    source = (ROOT / "web/src/emoji.ts").read_text()
    escapes = re.findall(r'^  "(\\\\u.*)"', source, re.M)
    written = re.sub(
        r"\\\\u(?:\{(\w+)\}|(\w{4}))",
        lambda match: chr(int(match[1] or match[2], 16)),
        "".join(escapes),
    )
    assert written == TEXT_BY_DEFAULT


def test_the_typescript_client_knows_every_kind_of_row() -> None:
    source = (ROOT / "web/src/kinds.ts").read_text()
    missing = [each for each in (*ROOM_KINDS, *USER_KINDS) if not re.search(rf"\b{each}\b", source)]
    assert not missing, f"add {missing} to web/src/kinds.ts"


def test_pages_that_documents_point_to_exist() -> None:
    named = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "llms.txt")]
    links = [
        (page, link)
        for page in (*named, *(ROOT / "docs").rglob("*.md"))
        for link in re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", page.read_text())
    ]
    assert len(links) > 50
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []
    assert {"docs/install.md", "docs/for-assistants.md"} <= {link for _, link in links}
