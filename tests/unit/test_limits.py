"""Settings on their way from the catalog to docs/limits.md."""

from __future__ import annotations

import pytest

from parley.codegen.limits import bounds_of, describe_bounds, describe_claims, describe_settings


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ("CHECK (((fanout_limit >= 0) AND (fanout_limit <= 100)))", "0 to 100"),
        ("CHECK ((send_burst >= 1))", "1 or more"),
        ("CHECK ((pull_bytes <= 8000000))", "up to 8000000"),
        ("", ""),
    ],
)
def test_a_check_on_a_number_is_said_in_words(checks: str, words: str) -> None:
    assert bounds_of(checks) == words


def test_a_setting_is_a_line_with_its_unit_and_answer() -> None:
    setting = {
        "name": "pins_per_room",
        "start": "100",
        "checks": "CHECK ((pins_per_room >= 1))",
        "comment": "Messages that are\npinned.\nUnit: messages.\nAnswer: payload_too_large.",
    }
    line = describe_settings([setting]).splitlines()[-1]
    assert line == (
        "| `pins_per_room` | 100 | 1 or more | messages"
        " | [payload_too_large](errors.md#payload_too_large) | Messages that are pinned. |"
    )


def test_a_setting_whose_comment_is_one_sentence_is_a_line_too() -> None:
    setting = {
        "name": "keep_sends",
        "start": "'90 days'::interval",
        "checks": "",
        "comment": "How long sends are remembered.",
    }
    line = describe_settings([setting]).splitlines()[-1]
    assert line == "| `keep_sends` | 90 days |  |  |  | How long sends are remembered. |"


def test_a_check_is_a_claim_in_words() -> None:
    claim = {
        "relation": "chat.messages",
        "name": "body_is_short",
        "definition": "CHECK (char_length(body) <= 8000)",
    }
    line = describe_claims([claim]).splitlines()[-1]
    assert line == "| `chat.messages` | body is short | `char_length(body) <= 8000` |"


def test_a_section_of_limits_is_a_line_for_each() -> None:
    comment = "Broadcast.\n\nLimits:\n  step: 32 KB,\n    then no rows.\n  wait: 250 ms."
    lines = describe_bounds([{"name": "announce", "comment": comment}]).splitlines()[2:]
    assert lines == ["| `step` | 32 KB, then no rows. |", "| `wait` | 250 ms. |"]
