"""What doctor and the metrics make of the numbers of ``chat_private.health()``."""

from __future__ import annotations

from typing import Any

import pytest

from parley.inspection.health import (
    describe_audit,
    describe_broadcasts,
    describe_delivery,
    describe_erasures,
    describe_files,
    describe_pushes,
)
from parley.stack.chat_metrics import as_text

PUSH = {
    "outbox_age": None,
    "waiting": 0,
    "oldest_age": None,
    "failing": 0,
    "can_reach_devices": True,
}
FILES = {"waiting": 0, "overdue_age": None, "failing": 0, "held": 0}
AUDIT = {"head": "7:aa", "unsealed": 2, "oldest_age": 5}
Facts = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "is_good"),
    [
        ({}, True),
        ({"outbox_age": 599}, True),
        ({"outbox_age": 601}, False),
        ({"outbox_age": 601, "can_reach_devices": False}, True),
        ({"failing": 1}, False),
    ],
)
def test_pushes_that_nobody_claims_matter_where_there_are_devices(
    change: Facts, is_good: bool
) -> None:
    assert describe_pushes(PUSH | change).good is is_good


@pytest.mark.parametrize(
    ("change", "is_good"),
    [
        ({}, True),
        ({"waiting": 3, "overdue_age": 60}, True),
        ({"waiting": 3, "overdue_age": 3600}, False),
        ({"waiting": 1, "failing": 1}, False),
        ({"held": 9}, True),
    ],
)
def test_files_that_stay_are_told_and_held_ones_are_none(change: Facts, is_good: bool) -> None:
    assert describe_files(FILES | change).good is is_good


def test_what_was_lost_or_is_late_is_told_with_its_reason() -> None:
    lost = describe_broadcasts({"lost": 2, "last_error": "no partition"})
    assert (lost.good, "no partition" in lost.detail) == (False, True)
    assert describe_broadcasts({"lost": 0, "last_error": None}).good
    assert not describe_erasures({"open": 1, "oldest_age": 7200}).good
    assert describe_erasures({"open": 1, "oldest_age": 60}).good
    assert "7:aa" in describe_audit(AUDIT).detail
    assert not describe_audit(AUDIT | {"oldest_age": 3600}).good
    told = describe_delivery({"receipts": 9, "p50_ms": 40, "p95_ms": 90, "p99_ms": 120})
    assert "120 ms" in told.detail


def test_metrics_are_seconds_and_leave_out_what_is_null_or_a_text() -> None:
    delivery = {"receipts": 9, "p50_ms": 40, "p95_ms": None, "p99_ms": None}
    text = as_text({"push": PUSH | {"outbox_age": 7}, "audit": AUDIT, "delivery": delivery})
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    assert lines == [
        "parley_audit_oldest_age_seconds 5.0",
        "parley_audit_unsealed 2.0",
        "parley_delivery_p50_seconds 0.04",
        "parley_delivery_receipts 9.0",
        "parley_push_can_reach_devices 1.0",
        "parley_push_failing 0.0",
        "parley_push_outbox_age_seconds 7.0",
        "parley_push_waiting 0.0",
    ]
