"""One idea of a word: the table of texts and queries, and every character, against Python."""

from __future__ import annotations

import sys
from random import Random

import psycopg

from parley.sync.words import fold_text
from tests.search_table import FOUND, MISSED


def verdicts(connection: psycopg.Connection, pairs: list[tuple[str, str]]) -> list[bool]:
    """Return whether the database finds a text by a query, for each pair of them."""
    texts, queries = map(list, zip(*pairs, strict=True))
    rows = connection.execute(
        "select coalesce((chat_private.matching(q, array[t.text]))[1], false)"
        " from unnest(%s::text[], %s::text[]) with ordinality as t (text, query, place)"
        " cross join lateral chat_private.read_query(t.query) as q order by t.place",
        (texts, queries),
    )
    return [is_found for (is_found,) in rows]


def folded(connection: psycopg.Connection, texts: list[str]) -> list[str]:
    """Return how the database folds some texts at once."""
    row = connection.execute("select chat_private.fold_texts(%s)", (texts,)).fetchone()
    assert row is not None
    return list(row[0])


def test_the_server_finds_what_the_table_says(postgresql: psycopg.Connection) -> None:
    for table, expected in ((FOUND, True), (MISSED, False)):
        pairs = [(text, query) for text, queries in table for query in queries]
        wrong = [
            pair
            for pair, is_found in zip(pairs, verdicts(postgresql, pairs), strict=True)
            if is_found is not expected
        ]
        assert wrong == []


def test_a_block_leads_to_whatever_the_text_says(postgresql: psycopg.Connection) -> None:
    """A text matches by its folded form; the lexemes of its block must never stand in the way."""
    pairs = [(text, query) for text, queries in FOUND for query in queries]
    rows = postgresql.execute(
        "select t.text, t.query"
        " from unnest(%s::text[], %s::text[]) as t (text, query)"
        " cross join lateral chat_private.read_query(t.query) as q"
        " cross join lateral ("
        "   select string_agg(word || ':' || w.place, ' ')::tsvector as vector"
        "   from unnest(chat_private.words_of(array['other', t.text]), array[1, 7])"
        "     as w (words, place)"
        "   cross join string_to_table(w.words, ' ') as word"
        " ) as b"
        " where not (b.vector @@ q.filter and chat_private.places_in(q, b.vector) = '{7}')",
        tuple(map(list, zip(*pairs, strict=True))),
    ).fetchall()
    assert rows == []


def test_server_and_copy_fold_every_character_alike(postgresql: psycopg.Connection) -> None:
    characters = [
        chr(point) for point in range(1, sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF
    ]
    texts = [
        " ".join(f"a{letter}b" for letter in characters[at : at + 50])
        for at in range(0, len(characters), 50)
    ]
    # (A thousand texts at once: what many more take grows with their square.)
    found = [
        text
        for at in range(0, len(texts), 1000)
        for text in folded(postgresql, texts[at : at + 1000])
    ]
    assert [
        ascii(text) for text, mine in zip(texts, found, strict=True) if fold_text(text) != mine
    ] == []
    assert [ascii(text) for text in found if fold_text(text) != text] == []


def test_server_and_copy_fold_mixed_texts_alike(postgresql: psycopg.Connection) -> None:
    rng = Random(17)
    every = "".join(text for text, _ in FOUND) + "\u0301\u093c\u3099\u200d\ufe0f\u1161\u11ab\x01"
    texts = ["".join(rng.choices(every, k=rng.randrange(12))) for _ in range(20_000)]
    found = folded(postgresql, texts)
    assert [
        ascii(text) for text, mine in zip(texts, found, strict=True) if fold_text(text) != mine
    ] == []
    # One at a time they are folded like many at once.
    assert [folded(postgresql, [text])[0] for text in texts[:500]] == found[:500]


def test_server_and_copy_fold_runs_of_emoji_alike(postgresql: psycopg.Connection) -> None:
    rng = Random(18)
    texts = ["".join(rng.choices("😀🎵❤👍🏽🇵🇹a京 -\x01", k=rng.randrange(60))) for _ in range(1000)]
    texts += [
        "".join(rng.choices("😀🎵❤", k=8)) + end for end in ("", "🇵🇹🇵", " a", "a\x01b", "\ufe0f京")
    ]
    mine = [fold_text(text) for text in texts]
    assert folded(postgresql, texts) == mine
    # Alone, only those with a long run are taken apart by characters.
    assert [folded(postgresql, [text])[0] for text in texts[-300:]] == mine[-300:]
