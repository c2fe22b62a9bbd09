"""Every command that the documents speak of exists, explains itself, and is spoken of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from parley import __version__
from parley.cli import app

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SPOKEN = re.compile(r"(?:`|bin/|^)parley ([a-z]+)((?: [^`\n#]*)?)", re.MULTILINE)


def commands() -> dict[str, Any]:
    """Return the commands by name."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def spoken() -> list[tuple[str, str, str]]:
    """Return document, command and the rest of the line for every command in the documents."""
    return [
        (path.name, name, rest)
        for path in DOCUMENTS
        for name, rest in SPOKEN.findall(path.read_text())
    ]


def test_documented_commands_and_options_exist() -> None:
    known = commands()
    for document, name, rest in spoken():
        assert name in known, f"{document} speaks of parley {name}"
        options = {word for parameter in known[name].params for word in parameter.opts}
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in options | {"--help"}, f"{document}: parley {name} {option}"
    assert len(spoken()) > 10


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_command_is_in_a_document(name: str) -> None:
    named = {name for _, name, _ in spoken()}
    assert name in named, (
        f"write `parley {name}` into README.md or a page in docs, and what it does"
    )


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_command_explains_itself_and_its_options(name: str) -> None:
    command = commands()[name]
    assert command.help
    # Longer than this, the list of commands cuts it short.
    assert len(command.help.splitlines()[0]) <= 65
    silent = [each.name for each in command.params if not getattr(each, "help", None)]
    assert silent == []


@pytest.mark.parametrize("name", sorted(commands()))
def test_what_a_command_prints_comes_as_json_too(name: str) -> None:
    assert "--json" in {word for parameter in commands()[name].params for word in parameter.opts}


def test_the_version_is_that_of_the_package() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"parley {__version__}\n")


@pytest.mark.parametrize(
    "words",
    [
        ["up", "--port", "99999"],
        ["up", "--db-port", "-1"],
        ["tail", "--last", "-1"],
        ["logs", "--lines", "0"],
    ],
)
def test_numbers_out_of_range_are_a_usage_error(words: list[str]) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert f"Invalid value for '{words[1]}" in done.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str) -> None:
    group = typer.main.get_command(app)
    assert "--install-completion" in {word for each in group.params for word in each.opts}
    environment = {
        "COMP_WORDS": "parley ver",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "parley ver",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = CliRunner().invoke(
        app, prog_name="parley", env={**environment, "_PARLEY_COMPLETE": f"complete_{shell}"}
    )
    assert "verify" in done.output and "tail" not in done.output
