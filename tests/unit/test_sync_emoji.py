"""An emoji in the copy has one spelling, the one that the server stores."""

from __future__ import annotations

import unicodedata
from time import monotonic
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.sync.emoji import normal_emoji
from parley.sync.outbox import Item, ItemKind, Said, utc_now
from parley.sync.overlay import changed
from parley.sync.view_models import Message
from tests.emoji_table import DISTINCT, EVERY_EMOJI, EVERY_SPELLING, SPELLINGS


@pytest.mark.parametrize(("spelled", "stored"), SPELLINGS, ids=ascii)
def test_a_spelling_leads_to_what_is_stored(spelled: str, stored: str) -> None:
    assert normal_emoji(spelled) == stored


@pytest.mark.parametrize(("one", "other"), DISTINCT, ids=ascii)
def test_different_pictures_stay_different(one: str, other: str) -> None:
    assert normal_emoji(one) != normal_emoji(other)


def test_every_emoji_of_unicode_is_stored_as_keyboards_send_it() -> None:
    assert len(EVERY_EMOJI) > 3900
    assert [text for text in EVERY_EMOJI if normal_emoji(text) != text] == []
    assert {normal_emoji(text) for text in EVERY_SPELLING} == EVERY_EMOJI


@given(st.text(st.sampled_from("a1#\u00e9e\u0301\u20e3\u2764\ufe0f\u200d\U0001f44d\U0001f3fd")))
def test_spelling_it_again_changes_nothing(text: str) -> None:
    stored = normal_emoji(text)
    if len(stored) <= 20:
        assert normal_emoji(stored) == stored
        assert unicodedata.is_normalized("NFC", stored)


def test_what_is_no_emoji_costs_nothing() -> None:
    start = monotonic()
    normal_emoji("\u0301\u0323" * 500_000)
    assert monotonic() - start < 0.5


def test_a_deed_is_written_down_and_read_in_that_spelling() -> None:
    said = Said(emoji="\u2764")
    assert said.emoji == "\u2764\ufe0f"
    assert Said.model_validate_json('{"emoji": "\\u2764"}') == said


def test_a_reaction_under_way_joins_the_one_that_is_there() -> None:
    bob, me = uuid4(), uuid4()
    seen = Message(
        room_id=uuid4(),
        seq=1,
        sender_id=bob,
        client_id=uuid4(),
        body="vote",
        created_at=utc_now(),
        reactions={"\u2764\ufe0f": (bob,)},
    )
    added = changed(seen, action("react", "\u2764"), me)
    assert added.reactions == {"\u2764\ufe0f": tuple(sorted((bob, me)))}
    assert changed(added, action("unreact", "\u2764\ufe0e"), me).reactions == seen.reactions


def action(kind: ItemKind, emoji: str) -> Item:
    """Something done with a reaction that waits in the outbox."""
    return Item(
        id=1,
        room_id="",
        kind=kind,
        client_id=None,
        seq=1,
        said=Said(emoji=emoji),
        state="pending",
        reason="",
        rev=None,
        row=None,
        created_at=utc_now().isoformat(),
    )
