"""People who chat in real browsers: at once, offline, kicked, behind, without WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Error

from parley.stack import Status
from tests.browser.chat_people import ChatTab, chat
from tests.browser.chromium import Chromium, Device
from tests.e2e.sync_people import PASSWORD, sign_up

pytestmark = pytest.mark.lasts(40)

CHANGE_SESSION = """changes => {
  const key = Object.keys(localStorage).find(each => each.endsWith("-auth-token"));
  localStorage[key] = JSON.stringify({ ...JSON.parse(localStorage[key]), ...changes });
}"""
SIGN_IN = "async person => void (await supabase.auth.signInWithPassword(person))"


@dataclass
class Company:
    """Ann and Bob on devices of their own, in a room."""

    ann: ChatTab
    bob: ChatTab
    anns: Device
    bobs: Device
    room_id: str


@pytest_asyncio.fixture
async def company(chromium: Chromium, stack: Status) -> AsyncIterator[Company]:
    """New accounts on new devices."""
    async with AsyncExitStack() as exits:
        anns, bobs = [await exits.enter_async_context(chromium.device()) for _ in range(2)]
        accounts = [await sign_up(stack, each) for each in ("Ann", "Bob")]
        ann, bob = await asyncio.gather(
            chat(anns, accounts[0], stack), chat(bobs, accounts[1], stack)
        )
        room = await ann.rpc("create_room", name="Lisbon in May", member_ids=[bob.account.user_id])
        await asyncio.gather(ann.call("sync"), bob.call("sync"))
        await asyncio.gather(ann.is_state("live"), bob.is_state("live"))
        yield Company(ann, bob, anns, bobs, room["id"])


async def test_two_people_talk_and_their_copies_are_what_the_server_shows_them(
    company: Company, tmp_path: Path
) -> None:
    ann, bob, room = company.ann, company.bob, company.room_id
    sent = await ann.call("send", room, "Olá, 東京都 🚆", {"mentions": [bob.account.user_id]})
    assert (sent["state"], sent["seq"]) == ("pending", None)
    assert await ann.bodies(room) == ["Olá, 東京都 🚆"]
    await bob.sees(room, "Olá, 東京都 🚆")
    (line,) = await bob.call("rooms")
    assert (line["unread"], line["mentions"], line["name"]) == (1, 1, "Lisbon in May")
    (message,) = await bob.call("messages", room)
    await bob.call("react", message, "👍")
    await bob.call("markRead", room)
    assert (await bob.call("room", room))["unread"] == 0
    await bob.call("send", room, "See you there", {"reply_to": message["seq"]})
    await ann.sees(room, "See you there")
    await ann.until(
        """async room => {
          const [first] = await parley.messages(room);
          return first.state === "read" && first.reactions["👍"]?.length === 1;
        }""",
        room,
    )
    (first, second) = await ann.call("messages", room)
    await ann.call("edit", first, "Olá, Lisboa")
    await bob.sees(room, "Olá, Lisboa")
    assert [each["body"] for each in await bob.call("search", "lisb")] == ["Olá, Lisboa"]
    assert await bob.call("search", "東京") == []
    await bob.call("remove", second)
    await ann.until("async room => (await parley.messages(room))[1].deleted_at", room)
    for person in (ann, bob):
        await person.call("settled")
        await person.call("sync")
        assert not await person.compare(tmp_path)
        assert await person.call("outbox") == []


async def test_who_is_in_a_room_on_screen_is_seen_there(company: Company) -> None:
    ann, bob, room = company.ann, company.bob, company.room_id
    both = sorted([ann.account.user_id, bob.account.user_id])
    is_there = "([room, people]) => `${parley.present(room)}` === `${people}`"
    leave = "room => { const leave = parley.open(room); globalThis.leave = leave; }"
    for person in (ann, bob):
        await person.tab.run(leave, room)
    for person in (ann, bob):
        await person.until(is_there, [room, both])
    await bob.tab.run("() => leave()")
    await ann.until(is_there, [room, [ann.account.user_id]])
    assert await bob.call("present", room) == []
    await company.anns.go_offline()
    await ann.until(is_there, [room, []], within_s=60)
    await company.anns.go_offline(offline=False)
    await ann.until(is_there, [room, [ann.account.user_id]], within_s=60)


async def test_a_person_calls_any_function_and_their_copy_has_what_it_changed(
    company: Company,
) -> None:
    ann, bob, room = company.ann, company.bob, company.room_id
    direct = await ann.call("call", "open_direct", {"user_id": bob.account.user_id})
    assert (await ann.call("room", direct["id"]))["other_id"] == bob.account.user_id
    with pytest.raises(Error, match="There is no room"):
        await bob.call("call", "pin_message", {"room_id": ann.account.user_id, "seq": 1})
    await ann.call("send", room, "@Bob", {"mentions": [bob.account.user_id]})
    await bob.until("async () => (await parley.notifications())[0]?.kind === 'mention'")
    assert not any(each["is_read"] for each in await bob.call("notifications"))
    await bob.call("markNotificationsRead")
    assert all(each["is_read"] for each in await bob.call("notifications"))
    assert await bob.call("deviceId") != await ann.call("deviceId")
    for person in (ann, bob):
        assert await person.call("verify") == []


async def test_what_is_written_offline_outlives_the_tab_and_goes_out_later(
    company: Company,
) -> None:
    ann, bob, room = company.ann, company.bob, company.room_id
    await company.anns.go_offline()
    for body in ("First", "Second"):
        await ann.call("send", room, body)
    (first, _) = await ann.call("messages", room)
    await ann.call("edit", first, "First, mended")
    assert await ann.bodies(room) == ["First, mended", "Second"]
    await ann.tab.close()
    await company.anns.go_offline(offline=False)
    # The page comes from the network, the session and the copy from the device.
    again = ChatTab(await company.anns.open_tab(), ann.account, ann._stack)
    await again.begin(signs_in=False)
    await bob.sees(room, "First, mended")
    await bob.sees(room, "Second")
    assert await bob.bodies(room) == ["First, mended", "Second"]
    await again.call("settled")


async def test_files_that_are_attached_offline_outlive_the_tab_and_arrive_whole(
    company: Company,
) -> None:
    ann, bob, room = company.ann, company.bob, company.room_id
    await company.anns.go_offline()
    await ann.tab.run(
        """async room => {
          const bytes = Uint8Array.from({ length: 70_000 }, (_, place) => place % 251);
          const plan = new File([bytes], "plan of Évora.png", { type: "image/png" });
          const blurhash = "LEHV6nWB2yk8pyo0adR*.7kCMdnj";
          await parley.attach(room, plan, { body: "The plan", width: 640, height: 480, blurhash });
          const notes = new Blob(["notes"], { type: "text/plain" });
          await parley.attach(room, notes, { name: "n.txt" });
        }""",
        room,
    )
    assert [each["state"] for each in await ann.call("messages", room)] == ["pending", "pending"]
    await ann.tab.close()
    await company.anns.go_offline(offline=False)
    again = ChatTab(await company.anns.open_tab(), ann.account, ann._stack)
    await again.begin(signs_in=False)
    await bob.until("async room => (await parley.messages(room)).length === 2", room)
    (plan, notes) = await bob.call("messages", room)
    assert plan["body"] == "The plan" and notes["body"] == ""
    ((shown,), (written,)) = plan["attachments"], notes["attachments"]
    assert (shown["name"], shown["size"], shown["width"]) == ("plan of Évora.png", 70_000, 640)
    assert (written["name"], written["mime_type"]) == ("n.txt", "text/plain")
    sizes = await bob.tab.run(
        """async paths => {
          const files = await Promise.all(paths.map(path =>
            supabase.storage.from("chat-attachments").download(path)));
          const [plan, notes] = files.map(({ data }) => data);
          const bytes = new Uint8Array(await plan.arrayBuffer());
          const isWhole = bytes.every((byte, place) => byte === place % 251);
          return [isWhole, bytes.length, await notes.text()];
        }""",
        [shown["path"], written["path"]],
    )
    assert sizes == [True, 70_000, "notes"]
    told = await again.tab.run("() => changes.map(each => each.upload).filter(each => each)")
    steps = [each["sent"] for each in told if each["path"] == shown["path"]]
    assert (steps[0], steps[-1]) == (0, 70_000) and steps == sorted(steps)
    await again.call("settled")
    assert await again.call("outbox") == []


async def test_a_copy_can_be_read_with_an_old_session_and_without_a_network(
    company: Company, stack: Status
) -> None:
    bob, room = company.bob, company.room_id
    await company.ann.call("send", room, "For the train")
    await bob.sees(room, "For the train")
    await bob.tab.close()
    again = ChatTab(await company.bobs.open_tab(), bob.account, stack)
    await again.tab.run(CHANGE_SESSION, {"expires_at": 1})
    await company.bobs.go_offline()
    await again.begin(signs_in=False)
    assert await again.bodies(room) == ["For the train"]
    await company.bobs.go_offline(offline=False)
    company.bobs.tabs.clear()


async def test_whoever_is_removed_keeps_nothing_of_the_room(company: Company) -> None:
    ann, bob, room = company.ann, company.bob, company.room_id
    other = await ann.rpc("create_room", name="Porto", member_ids=[bob.account.user_id])
    await ann.call("sync")
    for each, body in ((room, "A secret"), (other["id"], "No secret")):
        await ann.call("send", each, body)
        await bob.sees(each, body)
        await bob.call("react", (await bob.call("messages", each))[0], "👍")
        await bob.call("markRead", each)
    await bob.call("settled")
    await bob.call("sync")
    await bob.tab.run("room => { parley.open(room) }", room)
    tables = ("messages", "members", "reactions", "receipts")
    dump = await bob.dump()
    for table in tables:
        assert {each["room_id"] for each in dump[table]} == {room, other["id"]}
    await company.bobs.go_offline()
    await bob.call("send", room, "Too late")
    await ann.rpc("remove_member", room_id=room, user_id=bob.account.user_id)
    await company.bobs.go_offline(offline=False)
    await bob.until("async room => await parley.room(room) === null", room)
    dump = await bob.dump()
    for table in tables:
        assert {each["room_id"] for each in dump[table]} == {other["id"]}
    (left,) = dump["outbox"]
    assert (left["state"], left["reason"], left["said"]["body"]) in {
        ("discarded", "room_not_found", "Too late"),
        ("failed", "room_not_found", "Too late"),
    }
    assert [each["id"] for each in await bob.call("rooms")] == [other["id"]]
    assert [each["body"] for each in await bob.call("search", "secret")] == ["No secret"]
    with pytest.raises(Error, match="There is no room"):
        await bob.call("send", room, "Anybody there?")


async def test_signing_out_deletes_the_copy_and_a_session_that_auth_ended_hides_it(
    company: Company,
) -> None:
    bob, room = company.bob, company.room_id
    await company.ann.call("send", room, "Not for the next one")
    await bob.sees(room, "Not for the next one")
    copies = "async () => (await indexedDB.databases()).length"
    await bob.tab.run(CHANGE_SESSION, {"expires_at": 1, "refresh_token": "revoked"})
    await bob.tab.run("() => supabase.auth.getSession()")
    await bob.is_state("signed_out")
    assert await bob.tab.run(copies) == 1
    with pytest.raises(Error, match="Nobody is signed in"):
        await bob.call("messages", room)
    await bob.tab.run(SIGN_IN, {"email": bob.account.email, "password": PASSWORD})
    await bob.until("() => parley.status.me !== null")
    assert await bob.bodies(room) == ["Not for the next one"]
    await bob.tab.run("() => supabase.auth.signOut()")
    await bob.is_state("signed_out")
    assert await bob.tab.run(copies) == 0


async def test_a_copy_that_the_browser_took_away_is_fetched_again(
    company: Company, tmp_path: Path
) -> None:
    ann, bob, room = company.ann, company.bob, company.room_id
    await ann.call("send", room, "Kept on the server")
    await bob.sees(room, "Kept on the server")
    debugger = await company.bobs.context.new_cdp_session(bob.tab.page)
    await debugger.send(
        "Storage.clearDataForOrigin",
        {"origin": company.bobs.url.rstrip("/"), "storageTypes": "indexeddb"},
    )
    await ann.call("send", room, "And on we go")
    await bob.sees(room, "And on we go")
    assert await bob.bodies(room) == ["Kept on the server", "And on we go"]
    await bob.call("send", room, "As if nothing had happened")
    await ann.sees(room, "As if nothing had happened")
    await bob.call("settled")
    await bob.call("sync")
    assert not await bob.compare(tmp_path)
