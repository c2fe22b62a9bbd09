"""A client with nothing to do asks for the heads now and then, and for nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from parley.client import Chat
from parley.stack import Status
from parley.sync.errors import SyncError
from tests.chaos.fault_proxy import FaultProxy
from tests.e2e.sync_people import PASSWORD, chatting, sign_up
from tests.until import until

INTERVAL_S = 0.2
INTERVALS = 10


@pytest.mark.parametrize("is_live", [True, False])
async def test_an_idle_client_asks_for_heads_and_names_once_in_an_interval_and_for_nothing_else(
    stack: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_live: bool
) -> None:
    waits: list[bool] = []
    bobs_rng = random.Random()

    def wait_s(is_live: bool, rng: random.Random) -> float:
        if rng is bobs_rng:
            waits.append(is_live)
        return INTERVAL_S

    monkeypatch.setattr("parley.sync.background.heads_wait_s", wait_s)
    ann, bob = await sign_up(stack, "Ann"), await sign_up(stack, "Bob")
    async with (
        FaultProxy(stack.api_url, 1).serving() as proxy,
        Chat(
            proxy.url, stack.publishable_key, tmp_path / "bob.db", live=is_live, rng=bobs_rng
        ) as bobs,
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
    ):
        await bobs.sign_in(bob.email, PASSWORD)
        room = await anns.create_room("quiet", [bob.user_id])
        await anns.send(room.id, "good night")
        await anns.settled()
        await until(lambda: len(bobs.rooms()) == 1 and bobs.messages(room.id))
        await until(lambda: bobs.is_live == is_live and not bobs.outbox())
        await until(lambda: waits and waits[-1] == is_live)

        async def pass_by(intervals: int) -> None:
            ends = len(waits) + intervals
            await until(lambda: len(waits) >= ends)

        # What Bob's own mark was answered with is found by the heads, and pulled then.
        await pass_by(4)
        before = proxy.requests.copy()
        await pass_by(INTERVALS)
        spent = proxy.requests - before
        # A slow answer may serve two intervals; the first and the last may be on either side.
        assert set(spent) == {"list_heads", "pull_changes"}
        assert spent["list_heads"] <= INTERVALS + 1
        assert spent["pull_changes"] <= INTERVALS + 1

        # The control: what is said is noticed by the same client.
        await anns.send(room.id, "good morning")
        await until(lambda: bobs.messages(room.id)[-1].body == "good morning")


async def test_what_breaks_the_client_is_raised_where_somebody_waits(
    stack: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await sign_up(stack, "Ann")
    async with chatting(stack, ann, tmp_path / "ann.db", live=False) as anns:
        room = await anns.create_room("alone")
    with monkeypatch.context() as patch:
        patch.setattr("parley.sync.background.heads_wait_s", broken)
        async with Chat(
            stack.api_url, stack.publishable_key, tmp_path / "ann.db", live=False
        ) as anns:
            following = anns.changes()
            with pytest.raises(SyncError, match="ZeroDivisionError"):
                await anext(following)
            await anns.send(room.id, "anybody?")
            with pytest.raises(SyncError, match="ZeroDivisionError"):
                await anns.settled()

    # The control: what was written down is still there, and a working client sends it.
    async with chatting(stack, ann, tmp_path / "ann.db", live=False) as anns:
        await anns.settled()
        await until(lambda: not anns.outbox())


def broken(is_live: bool, rng: object) -> float:
    return 1 / 0
