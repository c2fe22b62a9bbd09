"""Errors are found by their slug, and the command line prints them as two sentences."""

from __future__ import annotations

import pytest

from parley import cli
from parley.errors import NotRunning, ParleyError, PortTaken, StackError


def test_a_slug_names_its_class() -> None:
    assert ParleyError.named("port_taken") is PortTaken
    assert PortTaken.status == 409


def test_an_unknown_slug_is_a_parley_error() -> None:
    assert ParleyError.named("nobody_registered_this") is ParleyError


def test_every_error_of_the_stack_is_a_stack_error_with_words() -> None:
    for slug, kind in ParleyError.registry.items():
        assert kind.slug == slug
        assert kind.__doc__
    assert issubclass(PortTaken, StackError)


def test_an_error_keeps_its_detail_and_its_hint() -> None:
    error = PortTaken("Port 1 is taken.", "Take another.")
    assert (error.detail, error.hint) == ("Port 1 is taken.", "Take another.")
    assert str(error) == "Port 1 is taken. Take another."


def test_the_command_line_prints_detail_and_hint_and_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise NotRunning("No stack runs.", "Start one.")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "No stack runs.\nStart one.\n")
