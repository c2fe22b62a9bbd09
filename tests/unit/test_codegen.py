"""Names, values and comments on their way from SQL to Python."""

from __future__ import annotations

import ast
import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest
from pydantic import TypeAdapter

from parley.codegen.docstrings import Comment, docstring
from parley.codegen.literals import allowed_texts, python_default
from parley.codegen.names import Namespace, pascal, plain
from parley.events import Cursor
from parley.wire import LEFT_OUT, Bytea, Json, Numeric, encode, parse


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("room_members", "RoomMembers"),
        ("MyTable", "MyTable"),
        ("two words", "TwoWords"),
        ("1st", "N1st"),
        ("ünï", "Ünï"),
        ("!!", "Unnamed"),
    ],
)
def test_classes_are_called_like_their_tables(name: str, expected: str) -> None:
    assert pascal(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("room_id", "room_id"),
        ("from", "from_"),
        ("None", "None_"),
        ("int", "int_"),
        ("dt", "dt_"),
        ("_rev", "rev"),
        ("1st", "n1st"),
        ("a b", "a_b"),
        ("", "unnamed"),
    ],
)
def test_variables_are_called_like_their_columns(name: str, expected: str) -> None:
    assert plain(name) == expected


def test_a_name_is_given_once() -> None:
    names = Namespace(frozenset({"Row"}))
    assert [names.claim(name) for name in ("Row", "A", "A", "A")] == ["Row2", "A", "A2", "A3"]


@pytest.mark.parametrize(
    ("check", "texts"),
    [
        ("CHECK ((role = ANY (ARRAY['a'::text, 'b''c'::text])))", ["a", "b'c"]),
        (
            "CHECK (((kind)::text = ANY ((ARRAY['a'::character varying])::text[])))",
            ["a"],
        ),
        ("CHECK ((\"Mixed Case\" = 'only'::text))", ["only"]),
        ("CHECK (((x IS NULL) OR (x = ANY (ARRAY['a'::text]))))", ["a"]),
        ("CHECK ((kinds <@ ARRAY['a'::text, 'b'::text]))", ["a", "b"]),
        ("CHECK ((char_length(x) < 5))", None),
        ("CHECK ((x = ANY (ARRAY[1, 2])))", None),
        ("CHECK (((x = 'a'::text) OR (char_length(x) > 5)))", None),
        ("CHECK ((x <> 'a'::text))", None),
    ],
)
def test_a_check_that_lists_texts_is_understood(check: str, texts: list[str] | None) -> None:
    assert allowed_texts((check,)) == texts


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("NULL::text", "None"),
        ("true", "True"),
        ("50", "50"),
        ("'-4'::integer", "-4"),
        ("'it''s'::text", '"it\'s"'),
        ("'{}'::uuid[]", "()"),
        ("'{a}'::text[]", None),
        ("'7 days'::interval", None),
        ("now()", None),
        ("1.5", None),
    ],
)
def test_a_constant_default_becomes_pythons(expression: str, expected: str | None) -> None:
    assert python_default(expression) == expected


@pytest.mark.parametrize(
    "text",
    [
        '"',
        '""',
        '"""',
        "a\\",
        'a\\"',
        'ends with "quotes"',
        "\\N{BULLET}",
        "a\n\n  b",
        "",
        "x" * 300,
    ],
)
def test_any_comment_is_a_docstring(text: str) -> None:
    parsed = ast.literal_eval(docstring(text, 4).strip())
    assert "".join(parsed.split()) == "".join(text.split())


def test_paragraphs_are_broken_anew_and_lists_are_not() -> None:
    comment = "Do it.\n\nA line that\nwas broken.\n\n* one\n* two\n\nReturns:\n  it."
    assert Comment.parse(comment).text == "A line that was broken.\n\n* one\n* two"


def test_a_comment_is_taken_apart() -> None:
    comment = Comment.parse(
        "Do it.\n\nTwice.\n\nArgs:\n  a: one\n    and more.\n  b: two.\n\nReturns:\n  It.\n\n"
        "Raises:\n  slow_down: too fast: wait."
    )
    assert comment.summary == "Do it."
    assert comment.text == "Twice."
    assert comment.args == {"a": "one and more.", "b": "two."}
    assert comment.returns == "It."
    assert comment.raises == {"slow_down": "too fast: wait."}


def test_arguments_travel_as_postgres_reads_them() -> None:
    user = UUID("a11ce000-0000-4000-8000-000000000001")
    sent = encode(
        {
            "id": user,
            "ids": (user,),
            "at": dt.datetime(2026, 11, 21, 1, 2, 3, 4, tzinfo=dt.UTC),
            "span": dt.timedelta(days=-1, seconds=5, microseconds=6),
            "exact": Decimal("1.10"),
            "raw": b"\x00\xff",
            "deep": {"list": [{"id": user}]},
            "nothing": None,
            "absent": LEFT_OUT,
            "cursor": Cursor(user=4),
        }
    )
    assert sent == {
        "id": str(user),
        "ids": [str(user)],
        "at": "2026-11-21T01:02:03.000004Z",
        "span": "-1 days 5 seconds 6 microseconds",
        "exact": "1.10",
        "raw": "\\x00ff",
        "deep": {"list": [{"id": str(user)}]},
        "nothing": None,
        "cursor": {"user": 4},
    }


def test_numbers_keep_their_digits_and_json_keeps_its_floats() -> None:
    exact: TypeAdapter[Decimal] = TypeAdapter(Numeric)
    assert str(exact.validate_python(parse("0.100000000000000000000000001"))) == (
        "0.100000000000000000000000001"
    )
    assert exact.validate_python("NaN").is_nan()
    document: TypeAdapter[object] = TypeAdapter(Json)
    assert document.validate_python(parse('{"a": [1.5, 2]}')) == {"a": [1.5, 2]}
    raw: TypeAdapter[bytes] = TypeAdapter(Bytea)
    assert raw.validate_python("\\x00ff") == b"\x00\xff"
    assert raw.dump_json(b"\x00\xff") == b'"\\\\x00ff"'
