"""The migrations as files, and the schema they leave behind."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from parley.inspection.promises import read_promises

FOLDER = Path(__file__).parents[2] / "supabase"
CHAPTERS = sorted((FOLDER / "migrations").glob("*.sql"))
TESTS = sorted((FOLDER / "tests").glob("*.sql"))


def empty(connection: psycopg.Connection) -> None:
    """Take away everything that migrations have made."""
    for (name,) in connection.execute(
        "select extname from pg_extension where extowner = 'postgres'::regrole"
    ).fetchall():
        connection.execute(sql.SQL("drop extension {} cascade").format(sql.Identifier(name)))
    connection.execute("drop schema chat, chat_private cascade")


def migrate(connection: psycopg.Connection) -> None:
    """Apply every chapter in order, each in one transaction, as role postgres."""
    for chapter in CHAPTERS:
        with connection.transaction():
            connection.execute("set local search_path = public, extensions")
            connection.execute(chapter.read_bytes())


def test_the_same_migrations_give_the_same_schema(postgresql: psycopg.Connection) -> None:
    postgresql.autocommit = True
    pushed = read_promises(postgresql)
    schemas = []
    for _ in range(2):
        empty(postgresql)
        assert not any(read_promises(postgresql).values())
        migrate(postgresql)
        schemas.append(read_promises(postgresql))
    assert sum(map(len, pushed.values())) > 2000
    for kind in pushed:
        assert schemas[0][kind] == pushed[kind]
        assert schemas[1][kind] == pushed[kind]


def test_chapters_are_in_order_and_one_of_a_kind() -> None:
    for chapter in CHAPTERS:
        assert re.fullmatch(r"20261121\d{6}_[a-z]+(_[a-z]+)*\.sql", chapter.name), chapter.name
    versions = [chapter.name.split("_")[0] for chapter in CHAPTERS]
    assert all(first < second for first, second in pairwise(versions))
    assert len({chapter.stem.partition("_")[2] for chapter in CHAPTERS}) == len(CHAPTERS)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem[8:])
def test_a_chapter_begins_with_the_sentence_of_its_table_of_contents(chapter: Path) -> None:
    first = chapter.read_text().split("\n", 1)[0]
    assert re.fullmatch(r"-- \S.*[^.][.?]", first), first
    assert len(first) <= 100


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem[8:])
def test_a_definer_says_why(chapter: Path) -> None:
    lines = chapter.read_text().splitlines()
    for before, line in pairwise(lines):
        if re.match(r"security definer\b", line):
            assert "--" in line or before.startswith("-- "), before


def test_a_chapter_has_a_test_of_the_same_name() -> None:
    chapters = {chapter.stem.removeprefix("20261121") for chapter in CHAPTERS}
    tests = {test.stem for test in TESTS} - {"000000_helpers", "000000_house_rules"}
    assert not chapters - tests, "these chapters have no test supabase/tests/<chapter>.sql"
    assert not tests - chapters, "these tests have no chapter in supabase/migrations"
