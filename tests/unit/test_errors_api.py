"""Every slug of the schema has a class, and every answer becomes the right one."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from postgrest.exceptions import APIError
from pydantic import TypeAdapter

import parley.errors
from parley.calls import read, refusal_of
from parley.errors import (
    ApiError,
    InvalidInput,
    NotAllowed,
    ParleyError,
    RoomNotFound,
    SignInRequired,
    SlowDown,
)

MIGRATIONS = Path(__file__).parent.parent.parent / "supabase" / "migrations"
RAISED = re.compile(r"errcode = 'PT(\d+)',\s+message = '(\w+)'")
REFUSED = re.compile(r"'PT(\d+)', '(\w+)'")
NEITHER = {"api_error", "unreachable"}


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


def test_a_slug_becomes_its_class_with_detail_and_hint() -> None:
    body = {"code": "PT404", "message": "room_not_found", "details": "No room.", "hint": "Join."}
    error = refused(answer(404, body))
    assert type(error) is RoomNotFound
    assert (error.detail, error.hint, error.code) == ("No room.", "Join.", "PT404")


def test_a_result_is_read_when_there_is_one() -> None:
    assert read(answer(200, 5), TypeAdapter(int)) == 5
    assert read(httpx.Response(204), TypeAdapter(None)) is None
    # PostgREST prints a row that is not there with all its columns.
    assert read(answer(200, {"a": None, "b": None}), TypeAdapter(dict[str, int] | None)) is None
    assert read(answer(200, {"a": 1}), TypeAdapter(dict[str, int] | None)) == {"a": 1}


def test_slow_down_tells_how_long() -> None:
    body = {"code": "PT429", "message": "slow_down", "details": "Wait.", "hint": "Wait."}
    error = refused(answer(429, body, **{"Retry-After": "7"}))
    assert (type(error), error.retry_after) == (SlowDown, 7.0)
    assert refused(answer(429, body)).retry_after is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "42501", SignInRequired),
        (403, "42501", NotAllowed),
        (401, "PGRST303", SignInRequired),
        (400, "22P02", InvalidInput),
        (400, "22021", InvalidInput),
        (404, "PGRST202", ApiError),
        (400, "23505", ApiError),
        (500, "XX000", ApiError),
    ],
)
def test_refusals_without_a_slug_have_a_class(status: int, code: str, kind: type[ApiError]) -> None:
    error = refused(answer(status, {"code": code, "message": "What Postgres says."}))
    assert (type(error), error.code) == (kind, code)
    assert "What Postgres says." in error.detail


def test_an_unknown_slug_is_an_api_error() -> None:
    error = refused(answer(418, {"code": "PT418", "message": "is_a_teapot", "details": "Short."}))
    assert (type(error), error.detail) == (ApiError, "is_a_teapot Short.")


def test_a_slug_of_the_stack_is_not_believed() -> None:
    assert type(refused(answer(503, {"message": "disk_full"}))) is ApiError


def test_an_answer_that_is_no_json_is_an_api_error() -> None:
    error = refused(httpx.Response(502, text="<html>Bad gateway</html>"))
    assert (type(error), error.detail) == (ApiError, "The API answered 502 Bad Gateway.")


def test_errors_of_supabase_py_are_translated() -> None:
    body = {"code": "PT404", "message": "room_not_found", "details": "No room.", "hint": "Join."}
    error = refusal_of(APIError(body))
    assert (type(error), error.detail) == (RoomNotFound, "No room.")
