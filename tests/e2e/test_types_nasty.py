"""Generated code for a schema made of everything that a generator trips over."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import mypy.api
import psycopg
import pytest
from pydantic import ValidationError

from parley.codegen.catalog import Catalog, read_catalog
from parley.codegen.files import check, formatted, write
from parley.codegen.hints import Hints
from parley.codegen.output import python_files, reference_files, skipped
from parley.errors import CatalogUnreadable, TypesStale
from parley.wire import LEFT_OUT, parse

NASTY = Path(__file__).parent.parent / "types" / "nasty.sql"


@pytest.fixture
def catalog(database: str) -> Catalog:
    """The catalog of the nasty schema."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(NASTY.read_bytes())
    return read_catalog(database, ("nasty",))


@pytest.fixture
def package(catalog: Catalog, tmp_path: Path) -> Path:
    """A package with the generated modules."""
    folder = tmp_path / "nastily"
    folder.mkdir()
    (folder / "__init__.py").touch()
    write(python_files(catalog, Hints(), folder))
    return folder


@pytest.fixture
def modules(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """The imported modules: models and api."""
    monkeypatch.syspath_prepend(str(package.parent))
    yield importlib.import_module("nastily.models"), importlib.import_module("nastily.api")
    for name in [name for name in sys.modules if name.startswith("nastily")]:
        del sys.modules[name]


def fields(module: ModuleType, name: str) -> dict[str, Any]:
    """Return the annotations of a model by column."""
    model = getattr(module, name)
    hints = get_type_hints(model)
    return {field.alias or name: hints[name] for name, field in model.model_fields.items()}


async def test_generated_code_is_strictly_typed(package: Path) -> None:
    """Mypy finds nothing in it."""
    words, _, code = mypy.api.run(["--strict", "--config-file", "", str(package)])
    assert code == 0, words


async def test_generating_twice_gives_the_same(catalog: Catalog, package: Path) -> None:
    files = python_files(catalog, Hints(), package)
    assert write(files) == []
    assert all(formatted(text) == text for text in files.values())


async def test_a_stale_file_is_shown_as_a_diff(catalog: Catalog, package: Path) -> None:
    files = python_files(catalog, Hints(), package)
    check(files)
    (package / "models.py").write_text(files[package / "models.py"].replace("from_", "fromm", 1))
    with pytest.raises(TypesStale) as caught:
        check(files)
    assert "-    fromm: str" in caught.value.detail
    assert "+    from_: str" in caught.value.detail


async def test_every_column_has_a_field_under_its_own_name(modules: tuple[Any, Any]) -> None:
    models, _ = modules
    found = fields(models, "ClassRow")
    assert {"import", "from", "camelCase", "with space", "1st", "ünïcode", "_hidden"} <= set(found)
    assert {"model_config", "json", "copy", "int", "list", "date", "dt", "self", "None"} <= set(
        found
    )
    assert 'with "quotes" and \\ slashes' in found
    row = models.ClassRow.model_validate(
        dict.fromkeys(found)
        | {"import": 1, "from": "here", "camelCase": True, "mood": "happy", "moods": ["class"]}
        | {"mail": "a@b", "json": {"deep": [1.5, None]}, "date": "2026-11-21"}
        | {"price": {"amount": "1.10", "currency code": "EUR"}}
    )
    assert (row.import_, row.from_, row.json_["deep"]) == (1, "here", [1.5, None])
    assert row.model_dump(mode="json")["date"] == "2026-11-21"
    assert row.model_dump(mode="json")["price"] == {"amount": "1.10", "currency code": "EUR"}


async def test_a_column_is_nullable_exactly_where_the_table_says(modules: tuple[Any, Any]) -> None:
    models, _ = modules
    rows = fields(models, "ClassRow")
    nullable = {name for name, hint in rows.items() if type(None) in getattr(hint, "__args__", ())}
    assert not nullable & {"import", "from", "camelCase", "mood", "moods", "mail"}
    assert {"with space", "size", "price", "parent", "doubled"} <= nullable


async def test_enums_checks_and_domains_are_literals(modules: tuple[Any, Any]) -> None:
    models, _ = modules
    assert models.Mood.__args__ == ("happy", 'it\'s "complicated"', "back\\slash", "class")
    assert models.Size.__args__ == ("S", "M", "L")
    assert models.ScalarsStatus.__args__ == ("open", "closed", "it's")
    assert models.ScalarsKinds.__args__ == ("a", "b")
    assert models.ScalarsLevel.__args__ == ("low", "high")
    assert models.ScalarsOnlyOne.__args__ == ("one",)
    assert models.ScalarsMaybe.__args__ == ("x", "y")
    hints = fields(models, "ScalarsRow")
    assert (hints["short"], hints["number_list"]) == (str, int | None)


async def test_forms_hold_what_the_role_may_write(modules: tuple[Any, Any]) -> None:
    models, _ = modules
    insert = {field.alias or name for name, field in models.ClassInsert.model_fields.items()}
    assert insert == {"from", "camelCase", "mood", "mail", "with space"}
    update = {field.alias or name for name, field in models.ClassUpdate.model_fields.items()}
    assert update == {"from", "with space"}
    assert not hasattr(models, "ScalarsInsert")
    assert not hasattr(models, "OverviewUpdate")
    form = models.ClassInsert(from_="here", mail="a@b")
    assert form.to_json() == {"from": "here", "mail": "a@b"}
    assert models.ClassUpdate(**{"with space": None}).to_json() == {"with space": None}
    with pytest.raises(ValidationError):
        models.ClassInsert(mail="a@b")
    with pytest.raises(ValidationError):
        models.ClassInsert(from_="here", mail="a@b", doubled=2)


async def test_rows_hold_what_the_role_may_read(
    modules: tuple[Any, Any], catalog: Catalog, database: str, tmp_path: Path
) -> None:
    models, _ = modules
    assert set(fields(models, "SalariesRow")) == {"id", "person"}
    assert set(fields(models, "PayrollRow")) == {"person"}
    assert set(fields(models, "SalariesInsert")) == {"person", "amount"}

    def section(catalog: Catalog) -> str:
        page = reference_files(catalog, Hints(), tmp_path)[tmp_path / "api.md"]
        return page.split("### salaries\n")[1].split("###")[0]

    # What the secret key reads has all of them.
    for_servers = read_catalog(database, ("nasty",), "service_role")
    text = python_files(for_servers, Hints(), tmp_path)[tmp_path / "models.py"]
    row = text.split("class SalariesRow(Row)")[1].split("class ")[0]
    assert "person: str" in row and "amount: Numeric" in row
    assert "`person`" in section(catalog) and "`amount`" not in section(catalog)
    assert "`amount`" in section(for_servers)


async def test_what_the_role_may_read_nothing_of_is_there_for_other_roles(
    modules: tuple[Any, Any],
) -> None:
    models, _ = modules
    assert set(fields(models, "MeasuresRow")) == {"at", "value"}


async def test_partitions_belong_to_their_table(modules: tuple[Any, Any]) -> None:
    models, _ = modules
    assert hasattr(models, "MeasuresRow")
    assert not hasattr(models, "Measures2026Row")


async def test_json_of_scalars_comes_back_exact(
    modules: tuple[Any, Any], catalog: Catalog, database: str
) -> None:
    """What Postgres prints, read and printed again, is the same row to Postgres."""
    models, _ = modules
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            """
            insert into nasty.scalars values (
              'a11ce000-0000-4000-8000-000000000001', -32768, 9223372036854775807,
              1234567890123456789012345678901234567890.123456789012345678901234567890,
              1.5, 0.1, true, e'line\n"quoted" \\ ☃', 'code', 'abc', '\\x00ff10',
              '2026-11-21', '23:59:59.999999', '2026-11-21 01:02:03.000001',
              '2026-11-21 01:02:03.123456+02', '1 mon 2 days 00:00:00.5', '{"a": [1, 2.5, null]}',
              '{"b": {"c": "d"}}', '10.0.0.1/8', '[2026-01-01, 2026-02-01)', '{1,2}',
              '{a11ce000-0000-4000-8000-000000000001}', '{0.10,1e-20}',
              'it''s', '{a,b}', 'high', null, 'x', 'abcd', 1
            )
            """
        )
        found = connection.execute("select to_jsonb(s)::text from nasty.scalars as s").fetchone()
        assert found is not None
        row = models.ScalarsRow.model_validate(parse(found[0]))
        same = connection.execute(
            "select to_jsonb(jsonb_populate_record(null::nasty.scalars, %s::jsonb)) = to_jsonb(s)"
            " from nasty.scalars as s",
            (row.model_dump_json(),),
        )
        assert same.fetchone() == (True,)
    assert row.raw == b"\x00\xff\x10"
    assert str(row.exact).endswith(".123456789012345678901234567890")
    assert row.zoned.utcoffset() is not None


async def test_defaults_are_those_of_the_database(modules: tuple[Any, Any]) -> None:
    _, api = modules
    parameters = inspect.signature(api.NastyApi.defaults).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    del defaults["self"]
    assert defaults == {
        "at": LEFT_OUT,
        "days": LEFT_OUT,
        "tags": LEFT_OUT,
        "size": LEFT_OUT,
        "negative": -4,
        "nothing": None,
        "mood": LEFT_OUT,
    }
    returned = inspect.signature(api.NastyApi.return_)
    assert list(returned.parameters) == ["self", "class_", "Mixed_Case", "self_"]
    assert returned.parameters["Mixed_Case"].default == "it's"


async def test_results_are_typed_by_kind(modules: tuple[Any, Any]) -> None:
    _, api = modules
    results = {
        name: str(method.__annotations__["return"])
        for name, method in vars(api.NastyApi).items()
        if inspect.isfunction(method) and name != "__init__"
    }
    assert results == {
        "return_": "str | None",
        "list_": "list[int]",
        "defaults": "str | None",
        "outs": "OutsRow",
        "inout_one": "InoutOneRow",
        "rows_of": "list[RowsOfRow]",
        "nothing": "None",
        "maybe": "int | None",
        "documented": "int",
        "nested": "Tree | None",
        "whole_row": "ClassRow | None",
        "all_scalars": "list[ScalarsRow]",
        "raw": "Bytea | None",
        "private_name": "int | None",
    }


async def test_comments_become_docstrings(modules: tuple[Any, Any]) -> None:
    models, api = modules
    assert '"quoted"' in models.ClassRow.__doc__
    text = inspect.getdoc(api.NastyApi.documented) or ""
    assert 'give: anything; a "quoted" word on two lines: with a colon.' in text
    assert "InvalidInput: never." in text
    assert "of_its_own: a slug that Parley does not know." in text


async def test_what_is_not_supported_is_named(catalog: Catalog) -> None:
    assert skipped(catalog) == [
        "nasty.any_kind has no method: it has the type anyelement.",
        "nasty.any_rows has no method: it has the type record.",
        "nasty.overloaded has no method: it is overloaded.",
        "nasty.overloaded has no method: it is overloaded.",
        "nasty.spread has no method: it is variadic.",
        "nasty.unnamed has no method: it has an argument without a name.",
    ]


async def test_two_schemas_share_a_module(catalog: Catalog, database: str, tmp_path: Path) -> None:
    both = read_catalog(database, ("nasty", "Other Schema"))
    models = python_files(both, Hints(), tmp_path)[tmp_path / "models.py"]
    assert "class NastyClassRow(Row)" in models
    assert "class OtherSchemaClassRow(Row)" in models
    pages = reference_files(both, Hints(), tmp_path)
    assert "### rows_of" in pages[tmp_path / "api.md"]


async def test_a_schema_that_is_not_there_is_refused(database: str) -> None:
    with pytest.raises(CatalogUnreadable, match="no schema absent"):
        read_catalog(database, ("absent",))
    with pytest.raises(CatalogUnreadable, match="no role nobody"):
        read_catalog(database, ("chat",), "nobody")


async def test_hints_about_nothing_are_refused(catalog: Catalog) -> None:
    Hints(never_null={"overview": ["from"]}).check(catalog)
    with pytest.raises(CatalogUnreadable, match="speak of overview"):
        Hints(never_null={"overview": ["absent"]}).check(catalog)
    with pytest.raises(CatalogUnreadable, match=r"speak of class\.absent"):
        Hints(texts={"class.absent": ["a"]}).check(catalog)


async def test_hints_name_the_texts_that_no_constraint_lists(
    catalog: Catalog, tmp_path: Path
) -> None:
    hints = Hints(texts={"class.from": ["here", "there"]})
    models = python_files(catalog, hints, tmp_path)[tmp_path / "models.py"]
    assert 'ClassFrom: TypeAlias = Literal["here", "there"]' in models
    assert 'from_: ClassFrom = Field(alias="from")' in models
