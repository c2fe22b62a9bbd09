"""Nothing but ParleyError leaves a Chat, whatever state it is in and whatever it is given."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from parley.client import Chat
from parley.errors import InvalidInput, ParleyError, SignInRequired, Unreachable
from parley.sync.cursor import CopyCursor
from parley.sync.database import Database
from parley.sync.errors import ChatClosed, StoreDamaged, StoreUnusable
from parley.sync.session import Session
from parley.sync.steps import Answer
from parley.sync.store import Store
from parley.sync.view_models import Message
from tests.unit.sync_fakes import BOB, ME, ROOM, membership, message

NOWHERE = "http://127.0.0.1:9"
LAST = ("sign_out", "close", "forget")
"""What ends a chat is called after everything else."""
PATIENCE_S = 0.02


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


class Sensible:
    """Arguments as they are meant to be."""

    def __call__(self, name: str) -> Any:
        """One for a parameter of this name."""
        return {
            "message": Message.model_validate(message(1, 1, "one", sender=ME)),
            "room_id": ROOM,
            "user_id": BOB,
            "members": [BOB],
            "item_id": 1,
            "seq": 1,
            "page_size": 10,
            "offset": 0,
            "emoji": "👍",
        }.get(name, "something")


ARGUMENTS: dict[str, Callable[[str], Any]] = {
    "sensible": Sensible(),
    "nothing": lambda name: None,
    "no id": lambda name: "'; drop table messages; --",
    "half a character": lambda name: "\ud800",
    "negative": lambda name: -1,
    "too large": lambda name: 2**70,
    "no number": lambda name: float("nan"),
    "NUL": lambda name: "a\0b",
    "an object": lambda name: object(),
    "deep": lambda name: nested(1500),
    "a list": lambda name: ["\ud800"],
    "a strange id": lambda name: uuid4(),
}


def opened(path: Path, *, signed_in: bool = True) -> Chat:
    """A chat whose server is away, with the copy of a room that was fetched earlier."""
    if signed_in:
        fill(path)
    return Chat(NOWHERE, "key", path, live=False)


def fill(path: Path) -> None:
    """Make the file that an earlier run left behind."""
    store = Store(path)
    store.bind(NOWHERE, ME)
    store.session = Session(
        access_token="a",
        refresh_token="b",
        expires_at=int(time.time()) + 3600,
        user_id=UUID(ME),
    )
    answer = {
        "timeline": "t",
        "user": {
            "from": None,
            "to": 1,
            "rows": {"memberships": [membership(1)]},
            "dropped_rooms": [],
        },
        "rooms": [
            {
                "room_id": ROOM,
                "from": None,
                "to": 3,
                "reset": False,
                "rows": {
                    "messages": [
                        message(1, 1, "one", sender=ME),
                        message(2, 2, "two", attachments=[{"n": {"deep": nested(300)}}]),
                        message(3, 3, "three", kind="from the future"),
                    ]
                },
            }
        ],
        "profiles": [],
        "more": False,
    }
    store.apply_answer(CopyCursor(None, None, {ROOM: None}), Answer.read(answer))
    store.close()


def empty(path: str) -> None:
    """Take everything out of a file."""
    Path(path).write_bytes(b"")


async def be_signed_out(path: Path) -> Chat:
    """Nobody has signed in yet."""
    return opened(path, signed_in=False)


async def be_offline(path: Path) -> Chat:
    """The server is away."""
    return opened(path)


async def be_at_work(path: Path) -> Chat:
    """The work behind it is running."""
    chat = opened(path)
    await chat.__aenter__()
    await asyncio.sleep(0)
    return chat


async def be_closed(path: Path) -> Chat:
    """It was closed."""
    chat = opened(path)
    await chat.close()
    return chat


async def be_forgotten(path: Path) -> Chat:
    """Its file was deleted."""
    chat = opened(path)
    await chat.forget()
    return chat


async def be_full(path: Path) -> Chat:
    """The file cannot grow any more."""
    chat = opened(path)
    pages = chat.database.one("pragma page_count")[0]
    chat.database.execute(f"pragma max_page_count = {pages}")
    return chat


async def be_read_only(path: Path) -> Chat:
    """The file cannot be written."""
    chat = await be_at_work(path)
    chat.database.execute("pragma query_only = on")
    return chat


async def be_locked(path: Path) -> Chat:
    """Another program writes, and does not stop."""
    chat = opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    chat.__dict__["other"] = other
    return chat


async def be_emptied(path: Path) -> Chat:
    """Somebody emptied the file."""
    chat = await be_at_work(path)
    empty(chat.database.path)
    return chat


async def be_damaged(path: Path) -> Chat:
    """A table of the file is missing, as when its pages are lost."""
    chat = opened(path)
    for table in ("messages", "outbox", "account"):
        chat.database.execute(f"drop table {table}")
    return chat


async def be_gone(path: Path) -> Chat:
    """Somebody deleted the file and its folder."""
    chat = opened(path)
    for each in path.parent.iterdir():
        each.unlink()
    path.parent.rmdir()
    return chat


STATES = (
    be_signed_out,
    be_offline,
    be_at_work,
    be_closed,
    be_forgotten,
    be_full,
    be_read_only,
    be_locked,
    be_emptied,
    be_damaged,
    be_gone,
)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a lock."""
    monkeypatch.setattr("parley.sync.database.BUSY_S", 0.01)


def public_names() -> list[str]:
    """Everything a Chat offers; what ends it comes last."""
    names = [name for name in dir(Chat) if not name.startswith("_")]
    return [name for name in names if name not in LAST] + list(LAST)


async def use(chat: Chat, name: str, argument: Callable[[str], Any]) -> None:
    """Call a method with an argument for each parameter, or read a property."""
    attribute = getattr(chat, name)
    if not callable(attribute):
        return
    parameters = inspect.signature(attribute).parameters.values()
    positional = [argument(each.name) for each in parameters if each.kind is not each.KEYWORD_ONLY]
    named = {
        each.name: argument(each.name) for each in parameters if each.kind is each.KEYWORD_ONLY
    }
    result = attribute(*positional, **named)
    if isinstance(result, AsyncIterator):
        result = anext(result)
    if inspect.isawaitable(result):
        async with asyncio.timeout(PATIENCE_S if name in ("changes", "settled") else 5):
            await result


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("arguments", ARGUMENTS)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_nothing_but_parley_error_leaves_a_chat(
    state: Callable[[Path], Awaitable[Chat]], arguments: str, tmp_path: Path
) -> None:
    (tmp_path / "copy").mkdir()
    chat = await state(tmp_path / "copy" / "chat.db")
    escaped = {}
    for name in public_names():
        try:
            await use(chat, name, ARGUMENTS[arguments])
        except TimeoutError:
            assert name in ("changes", "settled")
        except (ParleyError, StopAsyncIteration):
            pass
        except Exception as error:
            escaped[name] = repr(error)
    assert escaped == {}


@pytest.mark.parametrize("arguments", ARGUMENTS)
async def test_nothing_but_parley_error_leaves_the_constructor(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    value = ARGUMENTS[arguments]("x")
    for url, key, store in (
        (value, "key", "a.db"),
        (NOWHERE, value, "b.db"),
        (NOWHERE, "k", value),
    ):
        with suppress(ParleyError):
            chat = Chat(url, key, store)
            with suppress(ParleyError):
                await chat.sign_in("ann@parley.example", "password")
            with suppress(ParleyError):
                await chat.use_session("a.b.c", "token")
            await chat.close()


async def test_the_control_a_sensible_call_does_what_it_says(tmp_path: Path) -> None:
    chat = opened(tmp_path / "chat.db")
    sent = await chat.send(ROOM.upper(), "hello", attachments=[{"name": "a.png"}])
    assert (sent.state, sent.body) == ("pending", "hello")
    shown = chat.messages(ROOM)
    assert [each.body for each in shown] == ["one", "", "", "hello"]
    assert [each.is_unreadable for each in shown] == [False, True, True, False]
    assert [str(each.sender_id) for each in shown] == [ME, BOB, BOB, ME]
    assert [each.seq for each in chat.messages(ROOM, page_size=2)] == [3, None]
    assert chat.messages(ROOM, page_size=0) == []
    with pytest.raises(Unreachable):
        await chat.sync()
    with pytest.raises(InvalidInput):
        await chat.send(ROOM, "deep", attachments=[nested(300)])
    with pytest.raises(InvalidInput):
        await chat.send(ROOM, "half \ud800")
    assert len(chat.outbox()) == 1
    await chat.close()


async def test_a_closed_chat_says_so_and_ends_what_follows_it(tmp_path: Path) -> None:
    chat = opened(tmp_path / "chat.db")
    following = asyncio.ensure_future(anext(chat.changes(), None))
    await chat.send(ROOM, "waits")
    settled = asyncio.ensure_future(chat.settled())
    await asyncio.sleep(0)
    assert await following is not None
    follower = chat.changes()
    ended = asyncio.ensure_future(anext(follower, "ended"))
    await asyncio.sleep(0)
    await chat.close()
    assert await ended == "ended"
    for call in (settled, chat.sync(), chat.send(ROOM, "x")):
        with pytest.raises(ChatClosed):
            await call
    for read in (chat.rooms, chat.outbox, chat.changes):
        with pytest.raises(ChatClosed):
            read()


async def next_change(changes: AsyncIterator[Any], is_it: Callable[[Any], bool]) -> Any:
    """The first change that is so."""
    async with asyncio.timeout(5):
        async for change in changes:
            if is_it(change):
                return change
    raise AssertionError("the changes ended")


async def test_what_is_in_the_way_is_told_once_and_got_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.sync.engine.LOCAL_RETRY_S", 0.02)
    async with opened(tmp_path / "chat.db") as chat:
        chat.database.execute("pragma query_only = on")
        changes = chat.changes()
        for _ in range(3):
            with pytest.raises(StoreUnusable) as caught:
                await chat.send(ROOM, "not now")
            assert not isinstance(caught.value, StoreDamaged) and caught.value.hint
        told = await next_change(changes, lambda change: change.fault is not None)
        assert type(told.fault) is StoreUnusable and chat.fault is told.fault
        assert chat.messages(ROOM)[0].body == "one"
        chat.database.execute("pragma query_only = off")
        # (What was told comes in order: a second fault would come before the end of the first.)
        over = await next_change(changes, lambda change: change.room_id is None)
        assert over.fault is None and chat.fault is None
        assert (await chat.send(ROOM, "now")).state == "pending"


async def test_a_damaged_file_is_told_with_a_remedy_and_ends_the_work(tmp_path: Path) -> None:
    async with opened(tmp_path / "chat.db") as chat:
        await asyncio.sleep(0)
        await chat.send(ROOM, "precious")
        changes = chat.changes()
        settled = asyncio.ensure_future(chat.settled())
        empty(chat.database.path)
        with pytest.raises(StoreDamaged):
            await chat.send(ROOM, "lost")
        told = await next_change(changes, lambda change: change.fault is not None)
        assert isinstance(told.fault, StoreDamaged) and "forget()" in told.fault.hint
        with pytest.raises(StoreDamaged):
            await next_change(changes, lambda change: False)
        for waiting in (settled, chat.sync()):
            with pytest.raises(StoreDamaged):
                await waiting
        # What waits can be noted down before it is given up.
        assert [each.said.body for each in chat.outbox()] == ["precious"]
        await chat.forget()
        assert not (tmp_path / "chat.db").exists()


async def test_a_log_that_was_deleted_costs_nothing(tmp_path: Path) -> None:
    chat = opened(tmp_path / "chat.db")
    await chat.send(ROOM, "before")
    (tmp_path / "chat.db-wal").unlink()
    await chat.send(ROOM, "after")
    # Another process sees both, though ours has not closed the file.
    other = Database(tmp_path / "chat.db")
    waiting = other.all("select arguments ->> 'body' from outbox order by id")
    assert [row[0] for row in waiting] == ["before", "after"]
    other.close()
    await chat.close()


async def test_a_lost_session_still_ends_what_waits(tmp_path: Path) -> None:
    chat = opened(tmp_path / "chat.db", signed_in=False)
    with pytest.raises(SignInRequired):
        await chat.sync()
    await chat.close()
