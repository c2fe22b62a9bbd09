"""Every slug of the schema has a class, and every answer becomes the right one."""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from postgrest.exceptions import APIError
from pydantic import TypeAdapter

import parley.errors
from parley.api import LIST_MESSAGES_RESULT
from parley.calls import encoded, read, refusal_of
from parley.errors import (
    AnswerRefused,
    ApiError,
    InvalidInput,
    ParleyError,
    RoomNotFound,
)
from parley.sync.errors import is_transient
from parley.wire import LEFT_OUT
from tests.unit.sync_fakes import message
from tests.vectors import read as read_vectors

MIGRATIONS = Path(__file__).parent.parent.parent / "supabase" / "migrations"
RAISED = re.compile(r"errcode = 'PT(\d+)',\s+message = '(\w+)'")
REFUSED = re.compile(r"'PT(\d+)', '(\w+)'")
NEITHER = {"api_error", "unreachable", "answer_refused"}


def raised_slugs() -> set[tuple[str, int]]:
    """Return slug and status of everything that the migrations raise."""
    text = "".join(path.read_text() for path in sorted(MIGRATIONS.glob("*.sql")))
    return {
        (slug, int(status)) for form in (RAISED, REFUSED) for status, slug in form.findall(text)
    }


def answer(status: int, body: object, **headers: str) -> httpx.Response:
    """Return a response as PostgREST would give it."""
    return httpx.Response(status, json=body, headers=headers)


def refused(response: httpx.Response) -> ApiError:
    """Return the error that reading a response raises."""
    with pytest.raises(ApiError) as caught:
        read(response, TypeAdapter(int))
    return caught.value


def test_the_registry_and_the_migrations_agree() -> None:
    registered = {
        (kind.slug, kind.status)
        for kind in ParleyError.registry.values()
        if issubclass(kind, ApiError) and kind.slug not in NEITHER
    }
    assert registered == raised_slugs()


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"^[│ ]*[├└]── (\w+)|^(ParleyError)", parley.errors.__doc__ or "", re.M)
    names = {first or second for first, second in drawn}
    defined = {
        kind.__name__
        for kind in ParleyError.registry.values()
        if kind.__module__ == "parley.errors"
    }
    assert names == defined | {"ParleyError"}


@pytest.mark.parametrize("vector", read_vectors("refusals"), ids=lambda vector: str(vector["says"]))
def test_a_refusal_becomes_the_error_that_the_vector_says(vector: dict[str, Any]) -> None:
    wait = vector["retry_after"]
    headers = {} if wait is None else {"Retry-After": wait}
    error = refused(answer(vector["status"], vector["body"], **headers))
    expected = vector["expected"]
    assert error.slug == expected["slug"]
    assert error.detail == expected["detail"]
    assert (error.hint, error.code) == (expected["hint"], expected["code"])
    assert error.retry_after == expected["retry_after"]
    assert is_transient(error) is expected["is_transient"]


def test_a_result_is_read_when_there_is_one() -> None:
    assert read(answer(200, 5), TypeAdapter(int)) == 5
    assert read(httpx.Response(204), TypeAdapter(None)) is None
    # PostgREST prints a row that is not there with all its columns.
    assert read(answer(200, {"a": None, "b": None}), TypeAdapter(dict[str, int] | None)) is None
    assert read(answer(200, {"a": 1}), TypeAdapter(dict[str, int] | None)) == {"a": 1}


def test_a_slug_of_the_stack_is_not_believed() -> None:
    assert type(refused(answer(503, {"message": "disk_full"}))) is ApiError


@pytest.mark.parametrize(
    "content",
    [
        b"<html>Welcome to the hotel's network</html>",
        b"\xff",
        b"[" * 100_000,
        b'"five"',
        b"[5]",
        b"1" * 16_000,
        b"NaN",
    ],
)
def test_a_result_that_makes_no_sense_is_refused(content: bytes) -> None:
    error = refused(httpx.Response(200, content=content))
    assert type(error) is AnswerRefused and error.hint
    assert is_transient(error)


@pytest.mark.parametrize("piece", ["[" * 1000 + "]" * 1000, "1" + "0" * 16_000, '"\\ud800"'])
def test_the_api_refuses_or_reads_a_row_nobody_can_read(piece: str) -> None:
    row = message(1, 1, "x", attachments="PIECE")
    texts = (json.dumps([row]).replace('"PIECE"', each) for each in (piece, "[]"))
    responses = [httpx.Response(200, content=text.encode()) for text in texts]
    with suppress(AnswerRefused):
        read(responses[0], LIST_MESSAGES_RESULT)
    assert read(responses[1], LIST_MESSAGES_RESULT)[0].body == "x"


@pytest.mark.parametrize("argument", ["\ud800", object(), float("nan"), {"a": [object()]}])
def test_an_argument_that_is_no_json_is_invalid_input(argument: object) -> None:
    with pytest.raises(InvalidInput):
        encoded({"argument": argument})
    assert encoded({"argument": "é", "left": LEFT_OUT}) == {"argument": "é"}


def test_a_deep_argument_is_invalid_input() -> None:
    value: list[object] = []
    # (Hypothesis raises the limit in the process of its tests.)
    for _ in range(sys.getrecursionlimit() + 1000):
        value = [value]
    with pytest.raises(InvalidInput):
        encoded({"argument": value})


def test_an_answer_that_is_no_json_is_an_api_error() -> None:
    error = refused(httpx.Response(502, text="<html>Bad gateway</html>"))
    assert (type(error), error.detail) == (ApiError, "The API answered 502 Bad Gateway.")


def test_errors_of_supabase_py_are_translated() -> None:
    body = {"code": "PT404", "message": "room_not_found", "details": "No room.", "hint": "Join."}
    error = refusal_of(APIError(body))
    assert (type(error), error.detail) == (RoomNotFound, "No room.")
