"""Texts, queries, and whether they are found: one table for the server and for every copy."""

from __future__ import annotations

from tests.vectors import read

Table = list[tuple[str, list[str]]]

FOUND: Table = [
    (text, queries) for rows in read("search_terms")["found"].values() for text, queries in rows
]
MISSED: Table = [(text, queries) for text, queries in read("search_terms")["missed"]]
