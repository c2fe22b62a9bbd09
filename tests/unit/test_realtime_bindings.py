"""What a channel may ask for under `postgres_changes`."""

from __future__ import annotations

from typing import Any

import pytest

from parley.realtime.bindings import Binding, BindingError, Filter, read_binding
from parley.realtime.join import read_config


def binding(**entry: Any) -> Binding:
    """Read an entry as it comes from a join."""
    (found,) = read_config({"config": {"postgres_changes": [entry]}}).bindings
    return read_binding(found)


def test_a_missing_schema_is_public_and_a_missing_table_is_all() -> None:
    assert (binding(table="t").schema, binding(schema="s").table) == ("public", "*")
    assert binding(table="t").event == "*"


def test_an_entry_without_both_is_refused() -> None:
    with pytest.raises(BindingError, match="at least a `schema` or `table`"):
        binding(event="*")


@pytest.mark.parametrize(
    ("event", "wanted"), [("*", 3), ("INSERT", 1), ("insert", 1), ("DELETE", 1)]
)
def test_an_event_wants_itself_or_all(event: str, wanted: int) -> None:
    found = binding(event=event, table="t")
    assert sum(found.wants(each) for each in ("INSERT", "UPDATE", "DELETE")) == wanted


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("id=eq.7", [Filter("id", "eq", "7")]),
        ("at=lte.2026-01-01T00:00:00.5Z", [Filter("at", "lte", "2026-01-01T00:00:00.5Z")]),
        ("a=gt.1,b=neq.x", [Filter("a", "gt", "1"), Filter("b", "neq", "x")]),
        ("a=in.(1,2)", [Filter("a", "in", '{"1","2"}')]),
        ('a=in.("x,y",z),b=eq."p,q"', [Filter("a", "in", '{"x,y","z"}'), Filter("b", "eq", "p,q")]),
        ('a=in.(it\'s,b\\c)', [Filter("a", "in", '{"it\'s","b\\\\c"}')]),
        ("", []),
        (None, []),
    ],
)  # fmt: skip
def test_filters_are_comparisons_and_in(text: str | None, filters: list[Filter]) -> None:
    assert list(binding(table="t", filter=text).filters) == filters


@pytest.mark.parametrize(
    "text", ["x", "id=7", "id=like.a", "id=not.eq.1", "=eq.1", "a->>b=eq.1", "a=in.1,2", 7]
)
def test_other_filters_are_refused_with_what_is_served(text: Any) -> None:
    with pytest.raises(BindingError, match="Error parsing `filter` params"):
        binding(table="t", filter=text)


def test_in_takes_a_hundred_values() -> None:
    values = ",".join(map(str, range(101)))
    assert binding(table="t", filter=f"a=in.({values[:-4]})")
    with pytest.raises(BindingError, match="Maximum 100"):
        binding(table="t", filter=f"a=in.({values})")


def test_select_needs_one_table() -> None:
    assert binding(table="t", select=["a"]).select == ("a",)
    with pytest.raises(BindingError, match="wildcard"):
        binding(schema="public", select=["a"])
    with pytest.raises(BindingError, match="select"):
        binding(table="t", select="a")


def test_an_entry_is_described_as_the_real_server_does() -> None:
    found = binding(event="INSERT", schema="public", table="t", filter="id=eq.1")
    assert found.described() == (
        '[event: INSERT, schema: public, table: t, filters: [{"id", "eq", "1"}], select: nil]'
    )


def test_identical_entries_share_an_id_and_others_do_not() -> None:
    entries = [{"table": "a"}, {"table": "a"}, {"table": "b"}]
    found = read_config({"config": {"postgres_changes": entries}}).bindings
    assert found[0]["id"] == found[1]["id"] != found[2]["id"]
