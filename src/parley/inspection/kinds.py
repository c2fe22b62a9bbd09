"""How differences between a database and what a version of Parley promises are told, by kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """The sentences about one kind. ``{}`` stands for the object or the right."""

    well: str
    missing: str
    surplus: str
    changed: str
    remedy: str


def of_objects(well: str, noun: str, remedy: str) -> Kind:
    """Return the sentences about objects that a migration creates."""
    return Kind(
        well,
        f"The {noun} {{}} is missing.",
        f"The {noun} {{}} is not one that this version of Parley makes.",
        f"The {noun} {{}} was changed.",
        remedy,
    )


def of_grants(well: str) -> Kind:
    """Return the sentences about grants, which are there or are not there."""
    return Kind(
        well,
        "The grant of {} is missing.",
        "Somebody granted {}, and Parley does not.",
        "The grant of {} was changed.",
        "Revoke what Parley does not grant, and grant again what is missing, as the statements in "
        "supabase/migrations say. Then find out which script or person changed it.",
    )


TABLES = (
    "Alter the table until it is as its 'create table' in Parley's migration says; keep your own "
    "columns in a table of your own."
)

KINDS = {
    "tables": of_objects(
        "Parley's tables and views are as its migrations make them.",
        "table or view",
        "Restore what is missing from a backup. Move what Parley did not make into a schema of "
        "your own: 'alter table … set schema …'.",
    ),
    "columns": of_objects(
        "All columns of Parley's tables are as its migrations make them.", "column", TABLES
    ),
    "constraints": of_objects(
        "All constraints of Parley's tables are as its migrations make them.", "constraint", TABLES
    ),
    "indexes": of_objects(
        "All indexes of Parley's tables are as its migrations make them.",
        "index",
        "Drop an index that Parley did not make if you do not need it: each one makes writing "
        "slower. Create a missing one again, as Parley's migration says.",
    ),
    "types": of_objects(
        "Parley's types are as its migrations make them.",
        "type",
        "Alter the type until it is as its 'create type' in Parley's migration says.",
    ),
    "functions": of_objects(
        "Parley's functions are as its migrations make them.",
        "function",
        "Run the 'create function' of what is missing or was changed from Parley's migration "
        "again, as 'create or replace function'. Drop what Parley did not make, or move it into a "
        "schema of your own.",
    ),
    "row level security": Kind(
        "Row level security is on for all of Parley's tables.",
        "Row level security is off for {}.",
        "Row level security is on for {}, and this version of Parley does not turn it on there.",
        "Row level security was changed for {}.",
        "Run 'alter table … enable row level security' for each of these tables: without it "
        "anybody who is signed in can read all their rows.",
    ),
    "policies": Kind(
        "All of Parley's policies are as its migrations make them.",
        "The policy {} is missing.",
        "The policy {} was not made by Parley.",
        "The policy {} was changed.",
        "Drop what Parley did not make or what was changed, and run its 'create policy' from "
        "supabase/migrations again.",
    ),
    "triggers": Kind(
        "All of Parley's triggers are as its migrations make them.",
        "The trigger {} is missing.",
        "The trigger {} is not one that this version of Parley makes.",
        "The trigger {} was changed or disabled.",
        "Drop what was changed, and run its 'create trigger' from supabase/migrations again. "
        "Restoring a dump often loses the triggers on auth.users.",
    ),
    "grants on schemas": of_grants("The API roles may use the schema chat, and not chat_private."),
    "grants on tables": of_grants("The API roles may read Parley's tables and change none."),
    "grants on functions": of_grants("The API roles may call Parley's functions and no others."),
    "definer functions": Kind(
        "The functions that run with their owner's rights are those that should.",
        "The function {} should run with its owner's rights, and it does not.",
        "The function {} runs with its owner's rights, and Parley does not make it so.",
        "The function {} runs with another setting of search_path than Parley gives it.",
        "Run the 'create function' of each of these from supabase/migrations again, as "
        "'create or replace function'. Drop a function that Parley did not make.",
    ),
    "comments": Kind(
        "All of Parley's comments are as its migrations make them.",
        "The comment on {} is missing.",
        "There is a comment on {}, and Parley makes none.",
        "The comment on {} was changed.",
        "Run its 'comment on' from Parley's migration again. Nothing else depends on it.",
    ),
    "rows": Kind(
        "The rows that Parley's functions cannot do without are there.",
        "There is no row for {}.",
        "There is a row for {}, and this version of Parley makes none.",
        "The rows of {} were changed.",
        "Run its 'insert' from Parley's migration again.",
    ),
}
"""The words for every kind that the queries ``promises`` and ``promised_rows`` return."""

OWNERS = ("tables", "functions")
"""Kinds that own others: what is missing or too many there is not told again for its parts."""
