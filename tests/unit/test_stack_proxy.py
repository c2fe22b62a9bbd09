"""The front door mends timestamps and nothing else."""

from __future__ import annotations

import json

import pytest
from multidict import CIMultiDict

from parley.stack.proxy import CONNECTION_HEADERS, TIMESTAMP, mend, without


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-11-21 01:07:53.05+00", "2026-11-21T01:07:53.05+00:00"),
        ("2026-11-21 01:07:53+00", "2026-11-21T01:07:53+00:00"),
        ("2026-11-21T01:07:53Z", "2026-11-21T01:07:53Z"),
        ("2026-11-21", "2026-11-21"),
    ],
)
def test_a_time_comes_out_as_rfc_3339(given: str, expected: str) -> None:
    for name in ("created_at", "muted_until", "until"):
        body = json.dumps({name: given}, separators=(",", ":")).encode()
        assert json.loads(mend(body)) == {name: expected}


@pytest.mark.parametrize(
    "row",
    [
        {"body": "2026-11-21 01:07:53.05+00"},
        {"body": '"created_at":"2026-11-21 01:07:53.05+00"'},
        {"data": "at"},
    ],
)
def test_what_people_write_is_left_alone(row: dict[str, str]) -> None:
    body = json.dumps(row, separators=(",", ":")).encode()
    assert mend(body) == body


def test_the_pattern_looks_at_whole_names_only() -> None:
    assert TIMESTAMP.search(b'"flat":"2026-11-21 01:07:53+00"') is None
    assert TIMESTAMP.search(b'"read_at":"2026-11-21 01:07:53+00"')


def test_headers_of_one_connection_are_not_handed_on() -> None:
    headers = CIMultiDict({"Connection": "close", "Apikey": "k", "Transfer-Encoding": "chunked"})
    assert dict(without(headers, CONNECTION_HEADERS)) == {"Apikey": "k"}
