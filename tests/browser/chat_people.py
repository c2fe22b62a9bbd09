"""Ann, Bob and Cat with the TypeScript client in browsers of their own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from parley.stack import Status
from parley.sync.store import Store
from parley.sync.words import kept_words
from tests.browser.chromium import Device, Tab
from tests.chaos.sync_checker import Findings, compare_copy
from tests.e2e.sync_people import PASSWORD, Account
from tests.until import until

PATIENCE_S = 30.0
"""Long enough for a browser on a machine that has much else to do."""
Tables = Sequence[Mapping[str, object]]
"""The option ``tables`` of the client."""
CALL = "async ([method, args]) => (await parley[method](...args)) ?? null"


class ChatTab:
    """A tab in which somebody chats."""

    def __init__(self, tab: Tab, account: Account, stack: Status) -> None:
        self.tab = tab
        self.account = account
        self._stack = stack

    async def begin(
        self, *, signs_in: bool = True, url: str | None = None, tables: Tables = ()
    ) -> None:
        """Make the client; ``url`` is another way to the API, ``tables`` are in the copy too."""
        words = [url or self._stack.api_url, self._stack.publishable_key]
        words += [self.account.email, PASSWORD] if signs_in else []
        told = {"words": words, "tables": list(tables)}
        assert await self.tab.run("begin", told) == self.account.user_id

    async def call(self, method: str, *args: Any) -> Any:
        """Call a method of the client."""
        return await self.tab.run(CALL, [method, list(args)])

    async def rpc(self, function: str, **arguments: Any) -> Any:
        """Call a function of ``chat`` directly."""
        return await self.tab.run(
            """async ([name, parameters]) => {
              const { data, error } = await supabase.schema("chat").rpc(name, parameters);
              if (error) throw new Error(error.message);
              return data;
            }""",
            [function, arguments],
        )

    async def bodies(self, room_id: str) -> list[str]:
        """What is shown of a room."""
        return [each["body"] for each in await self.call("messages", room_id)]

    async def until(self, script: str, argument: Any = None, within_s: float = PATIENCE_S) -> None:
        """Wait until a function of JavaScript, awaited, returns what counts as true."""
        await until(lambda: self.tab.run(script, argument), within_s)

    async def sees(self, room_id: str, body: str, within_s: float = PATIENCE_S) -> None:
        """Wait until a message is shown. Raises TimeoutError."""
        await self.until(
            """async ([room, body]) =>
              (await parley.messages(room)).some(each => each.body === body)""",
            [room_id, body],
            within_s,
        )

    async def sees_room(self, room_id: str, within_s: float = PATIENCE_S) -> None:
        """Wait until a room is shown. Raises TimeoutError."""
        await self.until("async room => await parley.room(room)", room_id, within_s)

    async def is_state(self, *states: str) -> None:
        """Wait until the client says so."""
        await self.until("states => states.includes(parley.status.state)", list(states))

    async def dump(self) -> dict[str, list[dict[str, Any]]]:
        """All records of the copy, by table."""
        tables: dict[str, list[dict[str, Any]]] = json.loads(
            await self.tab.run("dump", self.account.user_id)
        )
        return tables

    async def compare(self, folder: Path) -> Findings:
        """Compare the copy with what row level security shows, as the chaos suite does."""
        dump = await self.dump()
        path = folder / f"{self.account.name}.db"
        path.unlink(missing_ok=True)
        Store(path).close()
        with closing(sqlite3.connect(path)) as copy, copy:
            fill(copy, dump)
        return compare_copy(path, self._stack.db_url, self.account.user_id, self.account.name)


def fill(copy: sqlite3.Connection, dump: dict[str, list[dict[str, Any]]]) -> None:
    """Write the records of a browser's copy into the file that a Python copy would have."""
    account = dump["account"][0]
    copy.execute(
        "update account set user_id = ?, rev = ?, notifications_read_seq = ?",
        [account["user_id"], account["rev"], account["notifications_read_seq"]],
    )
    for room in dump["rooms"]:
        name = room["room_id"]
        if room["is_here"]:
            copy.execute(
                "insert into streams (room_id, rev, first_seq, last_seq) values (?, ?, ?, ?)",
                [name, room["rev"], room["first_seq"], room["last_seq"]],
            )
        for table, part in (
            ("rooms", "row"),
            ("memberships", "membership"),
            ("marks", "mark"),
            ("preferences", "preferences"),
        ):
            if room[part] is not None:
                copy.execute(
                    f"insert into {table} (room_id, rev, row) values (?, 0, ?)",
                    [name, json.dumps(room[part])],
                )
    for place, record in enumerate(dump["messages"]):
        row = record["row"]
        body = row["body"] if row["kind"] == "text" else ""
        words = {word for word, _ in record["words"]}
        assert words == set(kept_words(record["room_id"], body).split()[1:])
        copy.execute(
            "insert into messages"
            " (id, room_id, seq, rev, sender_id, client_id, counts, body, words, row)"
            " values (?, ?, ?, ?, ?, ?, 0, ?, '', ?)",
            [
                *(place, record["room_id"], record["seq"], record["rev"], record["sender_id"]),
                *(row["client_id"], body, json.dumps(row)),
            ],
        )
    for table, columns in (
        ("members", ("room_id", "user_id", "rev")),
        ("reactions", ("room_id", "seq", "user_id", "emoji", "rev")),
        ("pins", ("room_id", "seq", "rev")),
        ("receipts", ("room_id", "user_id", "kind", "up_to_seq", "rev")),
        ("notifications", ("seq", "rev")),
        ("blocks", ("blocked_id", "rev")),
        ("profiles", ("user_id",)),
    ):
        names = (*columns, "row")
        marks = ", ".join("?" for _ in names)
        for record in dump[table]:
            copy.execute(
                f"insert into {table} ({', '.join(names)}) values ({marks})",
                [*(record[each] for each in columns), json.dumps(record["row"])],
            )


async def chat(device: Device, account: Account, stack: Status, tables: Tables = ()) -> ChatTab:
    """Somebody signs in on a device that has never been here."""
    person = ChatTab(await device.open_tab(), account, stack)
    await person.begin(tables=tables)
    return person


def act_as(connection: psycopg.Connection[object], user_id: str) -> None:
    """Be somebody until the end of the transaction."""
    connection.execute(
        "select set_config('request.jwt.claims', %s, true),"
        " set_config('role', 'authenticated', true)",
        [json.dumps({"sub": user_id, "role": "authenticated"})],
    )
