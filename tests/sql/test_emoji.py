"""One emoji is one reaction, whatever it is spelled like: the table that Python is held against."""

from __future__ import annotations

import sys
import unicodedata

import psycopg

from tests.emoji_table import DISTINCT, EVERY_EMOJI, EVERY_SPELLING, NOT_ONE, ONE, SPELLINGS


def stored(connection: psycopg.Connection, texts: list[str]) -> list[str]:
    """Return how the database spells some emoji."""
    rows = connection.execute(
        "select chat_private.normal_emoji(t.text)"
        " from unnest(%s::text[]) with ordinality as t (text, place) order by t.place",
        (texts,),
    )
    return [text for (text,) in rows]


def refused(connection: psycopg.Connection, texts: list[str]) -> list[str]:
    """Return which of some texts are not one character."""
    rows = connection.execute(
        "select t.text from unnest(%s::text[]) as t (text)"
        " where not chat_private.is_one_grapheme(chat_private.normal_emoji(t.text))",
        (texts,),
    )
    return [text for (text,) in rows]


def test_a_spelling_leads_to_what_is_stored(postgresql: psycopg.Connection) -> None:
    spelled, kept = zip(*SPELLINGS, strict=True)
    assert stored(postgresql, list(spelled)) == list(kept)
    for one, other in DISTINCT:
        assert len({*stored(postgresql, [one, other])}) == 2, ascii((one, other))


def test_every_emoji_of_unicode_is_one_reaction_as_keyboards_send_it(
    postgresql: psycopg.Connection,
) -> None:
    assert refused(postgresql, sorted(EVERY_SPELLING)) == []
    assert {*stored(postgresql, sorted(EVERY_SPELLING))} == EVERY_EMOJI
    assert stored(postgresql, sorted(EVERY_EMOJI)) == sorted(EVERY_EMOJI)
    # The longest fit into the column.
    assert max(map(len, EVERY_EMOJI)) <= 20


def test_one_character_is_one_and_two_are_not(postgresql: psycopg.Connection) -> None:
    assert refused(postgresql, ONE) == []
    assert refused(postgresql, NOT_ONE) == NOT_ONE


def test_what_is_no_emoji_costs_nothing(postgresql: psycopg.Connection) -> None:
    postgresql.execute("set statement_timeout = '1s'")
    stored(postgresql, ["\u0301\u0323" * 500_000])


def test_marks_of_every_script_belong_to_the_character_before_them(
    postgresql: psycopg.Connection,
) -> None:
    marks = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)).startswith("M")
    ]
    assert len(marks) > 2000
    rows = postgresql.execute(
        "select t.text from unnest(%s::text[]) as t (text)"
        " where t.text !~ ('[' || chat_private.combining_characters() || ']')",
        (marks,),
    )
    assert rows.fetchall() == []
    letters = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ("Lu", "Ll", "Lo", "Nd", "Zs", "So", "Po")
        and not 0x1160 <= code <= 0x11FF
        and not 0xD7B0 <= code <= 0xD7FB
    ]
    rows = postgresql.execute(
        "select t.text from unnest(%s::text[]) as t (text)"
        " where t.text ~ ('[' || chat_private.combining_characters() || ']')",
        (letters,),
    )
    assert rows.fetchall() == []
