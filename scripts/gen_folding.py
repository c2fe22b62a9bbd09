"""Generates what is one word in a search: a table for Python, one for browsers, and the chapter.

The table comes from the Unicode data of one version of Python. With another version only the
chapter is compared, because newer data names characters that the stored table does not know yet.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from parley.codegen.files import check as check_files
from parley.codegen.files import write
from parley.errors import ParleyError

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "src" / "parley" / "folding.json"
TEMPLATE = ROOT / "scripts" / "fold_text.sql"
CHAPTER = ROOT / "supabase" / "migrations" / "20261121000535_fold_text.sql"
WEB_TABLE = ROOT / "web" / "src" / "folding.json"

Ranges = tuple[tuple[int, int], ...]

DROPPED = (
    "AD 300-36F 483-489 591-5BD 5BF 5C1-5C2 5C4-5C5 5C7 610-61A 61C 640 64B-65F 670 6D6-6DC 6DF-6E4"
    " 6E7-6E8 6EA-6ED 70F 711 730-74A 8D3-8E1 8E3-8FF 115F-1160 17B4-17B5 180B-180F 1AB0-1AFF"
    " 1DC0-1DFF 200B-200F 202A-202E 2060-206F 20D0-20F0 3164 FE00-FE0F FE20-FE2F FEFF FFA0"
    " 1F3FB-1F3FF E0000-E0FFF"
)
"""Accents, points, joiners, selectors and skin tones: what may be left out of a word."""

DENSE = (
    "E00-EFF 1000-109F 1100-11FF 1780-17FF 1950-19DF 1A20-1AAF 2E80-2FDF 3005-3007 3040-30FF"
    " 3100-312F 3131-318E 31A0-31BF 31F0-31FF 3400-4DBF 4E00-9FFF A9E0-A9FF AA60-AADF AC00-D7FF"
    " F900-FAFF 1B000-1B16F 20000-3FFFF"
)
"""Scripts that put no spaces between words, and Hangul, which puts endings behind them."""

EMOJI = (
    "203C 2049 2194-21AA 231A-23FF 25AA-27BF 2934-2935 2B05-2B55 3030 303D 1F000-1F1E5 1F200-1FAFF"
)
FLAGS = "1F1E6-1F1FF"
"""Two of these letters are one flag."""

SIGNS = "2120 2122"
"""Signs behind a word that Unicode takes for letters of it."""

LETTERS = {
    "ø": "o",
    "đ": "d",
    "ħ": "h",
    "ı": "i",
    "ŧ": "t",
    "ł": "l",
    "ð": "d",
    "ɨ": "i",
    "ƶ": "z",
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
    "ß": "ss",
}
"""Letters that people type without their stroke, or as two."""

HANGUL = "1100-11FF 3131-318E AC00-D7A3"
HALF_HANGUL = "FFA1-FFDC"
COMMON = "3B1-3C9 430-44F 5D0-5EA 621-64A"
"""Small letters of which whole texts consist: none of them is a candidate without need."""

WIDTH = 100
WIDEST_GAP = 6
"""A class that only finds candidates may hold some characters more, and is shorter for it."""


@cache
def ranges_of(text: str) -> Ranges:
    """Read ranges of code points, written in hexadecimal digits."""
    ends = [each.split("-") for each in text.split()]
    return tuple((int(each[0], 16), int(each[-1], 16)) for each in ends)


def written(ranges: Ranges) -> str:
    """Write ranges the way ``ranges_of`` reads them."""
    return " ".join(f"{a:X}" if a == b else f"{a:X}-{b:X}" for a, b in ranges)


def is_in(character: str, text: str) -> bool:
    """Tell whether a character lies in ranges."""
    return any(first <= ord(character) <= last for first, last in ranges_of(text))


def characters() -> Iterator[str]:
    """Every character beyond ASCII that has a meaning."""
    for point in range(0x80, 0x110000):
        if unicodedata.category(chr(point)) not in ("Cs", "Cn", "Co"):
            yield chr(point)


def parts_words(character: str) -> bool:
    """Tell whether a character stands between words."""
    return unicodedata.category(character)[0] in "PSZC" and not any(
        is_in(character, each) for each in (EMOJI, FLAGS, DROPPED)
    )


def folded_once(text: str) -> str:
    """Take compatibility forms, case and marks off."""
    letters = []
    for character in unicodedata.normalize("NFKD", text):
        for letter in unicodedata.normalize("NFKD", character.casefold()):
            if not is_in(letter, DROPPED):
                digit = unicodedata.decimal(letter, None)
                letters.append(LETTERS.get(letter, letter) if digit is None else str(digit))
    return unicodedata.normalize("NFC", "".join(letters))


def folded(character: str) -> str:
    """Return what a character is in a word; with a space in it where it parts two."""
    if is_in(character, SIGNS):
        return " "
    if is_in(character, HANGUL) or (
        is_in(character, EMOJI) and not unicodedata.decomposition(character)
    ):
        return character
    if is_in(character, HALF_HANGUL):
        return chr(int(unicodedata.decomposition(character).split()[1], 16))
    text, before = folded_once(character), character
    while text != before:
        text, before = folded_once(text), text
    return "".join(" " if parts_words(each) else each for each in text)


def ranges_where(
    claim: Callable[[str], bool], among: Iterable[str], gap: int = 0, stop: set[str] | None = None
) -> Ranges:
    """Gather characters into ranges; they go on over what is not ``among`` and over small gaps."""
    ranges: list[tuple[int, int]] = []
    missed = gap + 1
    for character in among:
        point = ord(character)
        if claim(character):
            if missed <= gap and ranges:
                ranges[-1] = (ranges[-1][0], point)
            else:
                ranges.append((point, point))
            missed = 0
        else:
            missed += gap + 1 if character in (stop or ()) else 1
    return tuple(ranges)


def make_table() -> dict[str, str]:
    """Make the table out of the Unicode data of this Python."""
    known = [each for each in characters() if not is_in(each, DROPPED)]
    meant = {each: folded(each) for each in known}
    letters = {
        each: text
        for each, text in meant.items()
        if text != each
        and (text == "" or text.strip() != "" or unicodedata.normalize("NFC", each) != each)
    }
    common = {chr(each) for a, b in ranges_of(COMMON) for each in range(a, b + 1)}
    seconds = {letter for each in known for letter in unicodedata.normalize("NFD", each)[1:]}
    others = [each for each in known if each not in letters]
    return {
        "unicode": unicodedata.unidata_version,
        "letters": ",".join(each + text for each, text in letters.items()),
        "folded": written(ranges_where(lambda each: each in letters, known, WIDEST_GAP, common)),
        "dropped": DROPPED,
        "separators": written(
            ranges_where(
                lambda each: each not in letters and meant.get(each, "").isspace(), characters()
            )
        ),
        "composing": written(
            ranges_where(lambda each: unicodedata.combining(each) > 0 or each in seconds, others)
        ),
        "dense": DENSE,
        "emoji": EMOJI,
        "flags": FLAGS,
    }


def packed(ranges: Iterable[tuple[int, int]]) -> str:
    """Write ranges as distances from each other, which is short: ``gap`` or ``gap.length``."""
    words, end = [], 0
    for first, last in ranges:
        words.append(
            in_base_36(first - end) + (f".{in_base_36(last - first)}" if last > first else "")
        )
        end = last
    return " ".join(words)


def in_base_36(number: int) -> str:
    """Write a number the way that ``parseInt(text, 36)`` reads it."""
    rest, digit = divmod(number, 36)
    return (in_base_36(rest) if rest else "") + "0123456789abcdefghijklmnopqrstuvwxyz"[digit]


def web_table(table: dict[str, str]) -> dict[str, str]:
    """Make the table for browsers: which characters fold, and only those that do it in an odd way.

    A browser finds out the others by itself, from decompositions and small letters, which Unicode
    never changes once a character has them. ``web/src/words.ts`` has the same steps.
    """
    letters = {entry[0]: entry[1:] for entry in table["letters"].split(",")}
    dropped, separators = (
        {chr(point) for first, last in ranges_of(table[name]) for point in range(first, last + 1)}
        for name in ("dropped", "separators")
    )
    separators |= {chr(point) for point in range(0x80) if not chr(point).isalnum()}
    zeros = sorted(ord(each) for each in letters if unicodedata.decimal(each, None) == 0)
    digits = {chr(zero + digit): str(digit) for zero in zeros for digit in range(10)}
    odd = LETTERS | {"ς": "σ"} | digits

    def computed(text: str) -> str:
        parts = (
            part
            for letter in unicodedata.normalize("NFKD", text)
            for part in unicodedata.normalize("NFKD", letter.lower())
        )
        plain = "".join(odd.get(part, part) for part in parts if part not in dropped)
        composed = unicodedata.normalize("NFC", plain)
        again = "".join(" " if letter in separators else letter for letter in composed)
        return text if again == text else computed(again)

    odd |= {letter: meant for letter, meant in letters.items() if computed(letter) != meant}
    return {
        "letters": packed(ranges_where(lambda each: each in letters, map(chr, range(0x110000)))),
        "zeros": packed((zero, zero) for zero in zeros),
        "odd": ",".join(each + text for each, text in odd.items() if each not in digits),
        **{
            name: packed(ranges_of(table[name]))
            for name in ("dropped", "separators", "composing", "dense", "emoji", "flags")
        },
    }


def literal(text: str, indent: str) -> str:
    """Write a string of SQL over as many lines as it needs."""
    pieces = [text[at : at + 84] for at in range(0, len(text), 84)]
    return f"\n{indent}".join(f"'{each}'" for each in pieces)


def pattern(text: str) -> str:
    """Write ranges as the inside of a bracket of a regular expression of Postgres."""

    def escaped(point: int) -> str:
        return f"\\u{point:04X}" if point < 0x10000 else f"\\U{point:08X}"

    return "".join(
        escaped(a) if a == b else f"{escaped(a)}-{escaped(b)}" for a, b in ranges_of(text)
    )


def chapter(table: dict[str, str]) -> str:
    """Write the chapter out of its template."""
    script = TEMPLATE.read_text(encoding="utf-8")
    script = script.replace("'{letters}'", literal(table["letters"], "    "))
    for name in ("folded", "dropped", "separators", "composing", "dense", "emoji", "flags"):
        script = script.replace(f"{{{name}}}", pattern(table[name]))
    lines = []
    for line in script.splitlines():
        start = line.find("'")
        if len(line) > WIDTH and start >= 0:
            end = line.rindex("'")
            before, indent = line[:start], " " * (len(line) - len(line.lstrip()))
            pieces = literal(line[start + 1 : end], indent)
            lines.append(before + pieces + line[end + 1 :])
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def main(
    check: Annotated[
        bool, typer.Option(help="Write nothing; exit 1 with a diff when a file is stale.")
    ] = False,
) -> None:
    """Generate src/parley/folding.json, web/src/folding.json and the chapter fold_text."""
    stored = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
    is_the_same_unicode = stored.get("unicode") in (None, unicodedata.unidata_version)
    table = make_table() if is_the_same_unicode else stored
    made = {
        TABLE: json.dumps(table, ensure_ascii=False, indent=1) + "\n",
        WEB_TABLE: json.dumps(web_table(table), ensure_ascii=False, indent=2) + "\n",
        CHAPTER: chapter(table),
    }
    try:
        if check:
            check_files(made)
        else:
            write(made)
    except ParleyError as error:
        sys.stderr.write(f"{error.detail}\n{error.hint}\n")
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
