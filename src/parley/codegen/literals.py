"""Values in expressions as Postgres prints them: check constraints and defaults."""

from __future__ import annotations

import re

TEXT = r"'(?:[^']|'')*'"
CAST = r"(?:::[\w ]+(?:\[\])?)?"
COLUMN = r"\(*(?:\"(?:[^\"]|\"\")+\"|[\w]+)\)?(?:::text)?\)?"
ENTRIES = rf"\(?ARRAY\[(?P<entries>{TEXT}{CAST}(?:, {TEXT}{CAST})*)\]\)?{CAST}"
ONE_OF = re.compile(rf"CHECK \(+(?:\(+{COLUMN} IS NULL\) OR )?{COLUMN} = ANY \({ENTRIES}\)\)+")
SOME_OF = re.compile(rf"CHECK \(+(?:\(+{COLUMN} IS NULL\) OR )?{COLUMN} <@ {ENTRIES}\)+")
EXACTLY = re.compile(
    rf"CHECK \(+(?:\(+{COLUMN} IS NULL\) OR )?{COLUMN} = (?P<entries>{TEXT}{CAST})\)+"
)


def allowed_texts(checks: tuple[str, ...]) -> list[str] | None:
    """Return the texts that one of these constraints allows; None if no constraint lists texts.

    ``checks`` are definitions as pg_get_constraintdef prints them.
    """
    for check in checks:
        for form in (ONE_OF, SOME_OF, EXACTLY):
            match = form.fullmatch(check)
            if match:
                entries = re.findall(TEXT, match["entries"])
                return [entry[1:-1].replace("''", "'") for entry in entries]
    return None


def python_default(expression: str) -> str | None:
    """Return a default as Python writes it; None if only the database can compute it.

    Empty arrays become ``()``, so that they can be a default of Python too.
    """
    if re.fullmatch(rf"NULL{CAST}", expression):
        return "None"
    if expression in ("true", "false"):
        return expression.capitalize()
    number = re.fullmatch(r"'?\(?(-?\d+)\)?'?(?:::(?:integer|bigint|smallint))?", expression)
    if number:
        return number[1]
    if re.fullmatch(r"'\{\}'::.+\[\]", expression):
        return "()"
    match = re.fullmatch(rf"({TEXT})::(?:text|character varying)", expression)
    return repr(match[1][1:-1].replace("''", "'")) if match else None
