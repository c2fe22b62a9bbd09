"""What a channel may ask for under `postgres_changes`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from parley.realtime.postgres_changes.bindings import (
    OPERATORS,
    Binding,
    BindingError,
    Filter,
    inspected,
    read_binding,
)
from parley.realtime.protocol.join_payload import read_config


def binding(**entry: Any) -> Binding:
    """Read an entry as it comes from a join."""
    (found,) = read_config({"config": {"postgres_changes": [entry]}}, "room").bindings
    return read_binding(found)


def filters(text: str) -> list[Filter]:
    """Read filters on a table."""
    return list(binding(schema="public", table="t", filter=text).filters)


def test_a_missing_schema_is_public_and_a_missing_table_is_all() -> None:
    assert (binding(table="t").schema, binding(schema="s").table) == ("public", "*")


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ({}, "%{}"),
        ({"event": "*"}, '%{"event" => "*"}'),
        ({"table": "t", "filter": "id=eq.1"}, '%{"filter" => "id=eq.1", "table" => "t"}'),
        ({"schema": "s", "filter": "id=eq.1"}, '%{"filter" => "id=eq.1", "schema" => "s"}'),
        (
            {"schema": "s", "table": "t", "filter": None},
            '%{"filter" => nil, "schema" => "s", "table" => "t"}',
        ),
        ({"schema": "s", "table": None}, '%{"schema" => "s", "table" => nil}'),
        ({"schema": 1, "table": "t"}, '%{"schema" => 1, "table" => "t"}'),
        ({"user_token": "secret"}, "<redacted>"),
    ],
)
def test_other_combinations_of_schema_table_and_filter_are_refused(
    entry: dict[str, Any], shown: str
) -> None:
    with pytest.raises(BindingError) as refused:
        binding(**entry)
    assert str(refused.value) == (
        "No subscription params provided. Please provide at least a `schema` or `table` "
        f"to subscribe to: {shown}"
    )


@pytest.mark.parametrize(
    ("event", "wanted"),
    [("*", 3), ("INSERT", 1), ("insert", 1), ("DELETE", 1), ("TRUNCATE", 3), ("", 3), (7, 3)],
)
def test_an_event_wants_itself_and_an_unknown_one_wants_all(event: Any, wanted: int) -> None:
    found = binding(event=event, table="t")
    assert sum(found.wants(each) for each in ("INSERT", "UPDATE", "DELETE")) == wanted


def test_an_entry_without_an_event_wants_all() -> None:
    assert binding(table="t").event == "*"


@pytest.mark.parametrize("operator", OPERATORS)
def test_each_operator_may_be_negated(operator: str) -> None:
    value, read = ("(a,b)", "{a,b}") if operator == "in" else ("a.b", "a.b")
    assert filters(f"c={operator}.{value}") == [Filter("c", operator, read)]
    assert filters(f"c=not.{operator}.{value}") == [Filter("c", operator, read, negated=True)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("at=lte.2026-01-01T00:00:00.5Z", [Filter("at", "lte", "2026-01-01T00:00:00.5Z")]),
        ("a=gt.1,b=neq.x", [Filter("a", "gt", "1"), Filter("b", "neq", "x")]),
        (" a=gt.1 , b=neq.x ", [Filter("a", "gt", "1"), Filter("b", "neq", "x")]),
        ("a=eq.x=y", [Filter("a", "eq", "x=y")]),
        ("a=eq.", [Filter("a", "eq", "")]),
        ("a=not.not.eq.1", None),
        ("a=eq.not.eq.1", [Filter("a", "eq", "not.eq.1")]),
        ('a=in.("x,y",z),b=eq."p,q"', [Filter("a", "in", '{"x,y",z}'), Filter("b", "eq", "p,q")]),
        ("a=in.()", [Filter("a", "in", "{}")]),
        (r'a=in.("x\",y",z)', [Filter("a", "in", r'{"x\",y",z}')]),
        (r'a=eq."a\"b,c"', [Filter("a", "eq", 'a"b,c')]),
        (r'a=eq."a\\",b=eq.1', [Filter("a", "eq", "a\\"), Filter("b", "eq", "1")]),
        ('a=eq."b"c', [Filter("a", "eq", '"b"c')]),
        ('a=eq."b', [Filter("a", "eq", '"b')]),
        ('a=eq.5" pipe,b=eq.1', [Filter("a", "eq", '5" pipe'), Filter("b", "eq", "1")]),
        ("a=match.^(x,y),b=eq.1", [Filter("a", "match", "^(x,y)"), Filter("b", "eq", "1")]),
        ("a=eq.:),b=eq.1", [Filter("a", "eq", ":)"), Filter("b", "eq", "1")]),
        ("=eq.1", [Filter("", "eq", "1")]),
        ("a->>b=eq.1", [Filter("a->>b", "eq", "1")]),
        ("", []),
        ("   ", []),
    ],
)
def test_filters_are_split_at_commas_and_unquoted(text: str, found: list[Filter] | None) -> None:
    if found is None:
        with pytest.raises(BindingError, match=r'\["not", "eq.1"\]'):
            filters(text)
    else:
        assert filters(text) == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("undefined", '["undefined"]'),
        ("id=7", '["7"]'),
        ("id=foo.hey", '["foo", "hey"]'),
        ("id=not.foo.hey", '["foo", "hey"]'),
        ("body=eq.b,c", '["c"]'),
        ("a=in.1,b=eq.2", "`in` filter value must be wrapped by parentheses"),
        ("a=eq.1,,b=eq.2", "filter must not contain empty segments (check for extra commas)"),
        ("a=eq.1,", "filter must not contain empty segments (check for extra commas)"),
    ],
)
def test_an_unreadable_filter_is_told(text: str, told: str) -> None:
    with pytest.raises(BindingError) as refused:
        filters(text)
    assert str(refused.value) == f"Error parsing `filter` params: {told}"


def test_select_is_a_list_whose_strings_count() -> None:
    assert binding(table="t", select=["a", 1, None, "b"]).select == ("a", "b")
    assert binding(table="t", select=[]).select is None
    assert binding(table="t", select=[1]).select is None
    assert binding(table="t", select=None).select is None
    assert binding(table="t", select={"a": 1}).select is None
    with pytest.raises(BindingError, match="expected a list of column name strings"):
        binding(table="t", select="a")


def test_select_needs_one_table() -> None:
    for entry in ({"schema": "public"}, {"schema": "*", "table": "t"}):
        with pytest.raises(BindingError, match="not supported for wildcard subscriptions"):
            binding(select=["a"], **entry)
    assert binding(schema="pub%", table="t", select=["a"]).select == ("a",)


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("*", "notes", True),
        ("notes", "notes", True),
        ("notes", "Notes", False),
        ("pub%", "public", True),
        ("%lic", "public", True),
        ("n_tes", "notes", True),
        ("n_tes", "nootes", False),
        ("n*", "notes", False),
        ("n?tes", "notes", False),
        ("[n]otes", "notes", False),
        ("[n]otes", "[n]otes", True),
        ("a%%%%%%%%%%%%%%%%%%%%%b", "a" * 63, False),
    ],
)
def test_schema_and_table_are_patterns_of_like(pattern: str, name: str, is_match: bool) -> None:
    assert fnmatchcase(name, binding(schema=pattern, table="t").globs[0]) is is_match
    assert fnmatchcase(name, binding(schema="s", table=pattern).globs[1]) is is_match


def test_an_entry_is_described_as_the_real_server_does() -> None:
    found = binding(
        event="INSERT", schema="public", table="t", filter='id=not.eq."x\\"y",n=is.null'
    )
    assert found.described() == (
        "[event: INSERT, schema: public, table: t, filters: "
        '[{"id", "eq", "x\\"y", true}, {"n", "is", "null", false}], select: nil]'
    )
    assert binding(table="t", select=["a", "b"]).described().endswith('select: ["a", "b"]]')


def test_values_are_printed_as_elixir_does() -> None:
    assert inspected({"b": [1, 1.5, True], "a": {"ü": None}}) == (
        '%{"a" => %{"ü" => nil}, "b" => [1, 1.5, true]}'
    )


def test_identical_entries_share_an_id_and_others_do_not() -> None:
    entries = [{"table": "a"}, {"table": "a"}, {"table": "b"}]
    found = read_config({"config": {"postgres_changes": entries}}, "room").bindings
    assert found[0]["id"] == found[1]["id"] != found[2]["id"]


@pytest.mark.parametrize(
    ("topic", "entry"),
    [
        ("public:notes:id=eq.1:2", {"schema": "public", "table": "notes", "filter": "id=eq.1:2"}),
        ("public:notes", {"schema": "public", "table": "notes"}),
        ("public", {"schema": "public"}),
    ],
)
def test_the_topic_of_a_join_without_config_names_a_table(
    topic: str, entry: dict[str, Any]
) -> None:
    config = read_config({}, topic)
    (found,) = config.bindings
    assert {name: found[name] for name in found if name != "id"} == entry
    assert config.is_old
    assert not config.private
    assert not read_config({"config": {}}, topic).is_old
    assert read_config({"config": {}}, topic).bindings == ()
