"""The Python type for each type of the database."""

from __future__ import annotations

from parley.codegen.catalog import Catalog, Column, Function, Relation, Type
from parley.codegen.hints import Hints
from parley.codegen.literals import allowed_texts
from parley.codegen.names import TYPES, Namespace, pascal

READ = {
    "uuid": "UUID",
    "bool": "bool",
    "int2": "int",
    "int4": "int",
    "int8": "int",
    "oid": "int",
    "float4": "float",
    "float8": "float",
    "numeric": "Numeric",
    "json": "Json",
    "jsonb": "Json",
    "timestamptz": "AwareDatetime",
    "timestamp": "dt.datetime",
    "date": "dt.date",
    "time": "dt.time",
    "bytea": "Bytea",
    "void": "None",
}
"""Types of pg_catalog that are not read as text; all others are str."""

WRITTEN = {
    "Numeric": "Decimal",
    "Json": "Jsonable",
    "AwareDatetime": "dt.datetime",
    "Bytea": "bytes",
}
"""The types of arguments, where they differ from those of results."""

UNSUPPORTED = frozenset({"record", "internal", "cstring", "unknown", "language_handler"})


class Vocabulary:
    """Translates the types of one catalog. Names are handed out in a fixed order."""

    def __init__(self, catalog: Catalog, hints: Hints) -> None:
        self.catalog = catalog
        self.hints = hints
        self.names = Namespace(TYPES)
        self.aliases: dict[str, str] = {}
        self._aliases_by_type: dict[int, str] = {}
        self._literals: dict[tuple[int, str], str] = {}
        self._forms: dict[tuple[int, str], str] = {}
        self._function_rows: dict[tuple[str, str], str] = {}
        self._reachable: list[Relation] = []
        for relation in catalog.tables:
            self._reach(relation)
        for function in catalog.functions:
            if self.objection(function) is None:
                self._reach_function(function)

    @property
    def relations(self) -> list[Relation]:
        """The relations that need a class: tables, and what they and functions refer to."""
        return self._reachable

    def form(self, relation: Relation, form: str) -> str:
        """Return the name of a relation's class; ``form`` is Row, Insert or Update."""
        return self._forms[relation.oid, form]

    def function_row(self, function: Function) -> str:
        """Return the name of the class for the rows of a function with columns of its own."""
        return self._function_rows[function.schema, function.name]

    def stem(self, schema: str, name: str) -> str:
        """Return the beginning of a class name, with the schema if two would be equal."""
        is_only = self.catalog.schemas == (schema,)
        return pascal(name) if is_only else f"{pascal(schema)}{pascal(name)}"

    def read(self, oid: int) -> str:
        """Return the annotation of a value of this type in an answer."""
        kind = self.catalog.types[oid]
        if kind.element:
            return f"list[{self.read(kind.element)}]"
        if oid in self._aliases_by_type:
            return self._aliases_by_type[oid]
        if kind.kind == "c":
            relation = self.catalog.relations.get(kind.relation)
            return self.form(relation, "Row") if relation else "Json"
        if kind.is_cast_to_json and kind.schema != "pg_catalog":
            return "Json"
        return READ.get(kind.name, "str") if kind.schema == "pg_catalog" else "str"

    def written(self, oid: int) -> str:
        """Return the annotation of an argument of this type."""
        kind = self.catalog.types[oid]
        if kind.element:
            return f"Sequence[{self.written(kind.element)}]"
        if kind.name == "interval":
            return "dt.timedelta | str"
        found = self.read(oid)
        return WRITTEN.get(found, found)

    def column(self, relation: Relation, column: Column) -> str:
        """Return the annotation of a column in an answer."""
        return f"{self.column_value(relation, column)}{self._nullness(relation, column)}"

    def column_value(self, relation: Relation, column: Column) -> str:
        """Return the annotation of a column that is not null."""
        shape = self.hints.shapes.get(f"{relation.name}.{column.name}")
        if shape:
            return shape
        alias = self._literals.get((relation.oid, column.name))
        if alias is None:
            return self.read(column.type)
        return f"list[{alias}]" if self.catalog.types[column.type].element else alias

    def objection(self, function: Function) -> str | None:
        """Return why a function has no method, None where it has one."""
        same = [
            other
            for other in self.catalog.functions
            if (other.schema, other.name) == (function.schema, function.name)
        ]
        if len(same) > 1:
            return "it is overloaded"
        if any(argument.mode == "v" for argument in function.inputs):
            return "it is variadic"
        if any(not argument.name for argument in function.inputs):
            return "it has an argument without a name"
        used = [self.catalog.types[argument.type] for argument in function.arguments]
        if not function.outputs:
            used.append(self.catalog.types[function.result])
        for kind in used:
            if kind.name.startswith("any") or kind.name in UNSUPPORTED:
                return f"it has the type {kind.name}"
        return None

    def _nullness(self, relation: Relation, column: Column) -> str:
        if self.hints.is_null_in_answers(relation.name, column.name):
            return " | None"
        is_known = (
            column.not_null
            or self.catalog.types[column.type].not_null
            or self.hints.is_never_null(relation.name, column.name)
        )
        return "" if is_known else " | None"

    def _reach(self, relation: Relation) -> None:
        if (relation.oid, "Row") in self._forms:
            return
        stem = self.stem(relation.schema, relation.name)
        if relation.kind == "c":
            self._forms[relation.oid, "Row"] = self.names.claim(stem)
        else:
            for form in ("Row", "Insert", "Update"):
                self._forms[relation.oid, form] = self.names.claim(f"{stem}{form}")
        for column in relation.columns:
            self._reach_type(column.type)
            texts = allowed_texts(column.checks) or self.hints.texts.get(
                f"{relation.name}.{column.name}"
            )
            if texts:
                alias = self.names.claim(f"{stem}{pascal(column.name)}")
                self._literals[relation.oid, column.name] = alias
                self.aliases[alias] = literal(texts)
        self._reachable.append(relation)

    def _reach_function(self, function: Function) -> None:
        for argument in function.arguments:
            self._reach_type(argument.type)
        if function.outputs:
            wanted = f"{self.stem(function.schema, function.name)}Row"
            self._function_rows[function.schema, function.name] = self.names.claim(wanted)
        else:
            self._reach_type(function.result)

    def _reach_type(self, oid: int) -> None:
        kind = self.catalog.types[oid]
        if kind.element:
            self._reach_type(kind.element)
        elif kind.kind == "c" and kind.relation in self.catalog.relations:
            self._reach(self.catalog.relations[kind.relation])
        elif kind.kind in "de" and oid not in self._aliases_by_type:
            self._name_alias(oid, kind)

    def _name_alias(self, oid: int, kind: Type) -> None:
        if kind.kind == "e":
            meaning = literal(list(kind.labels))
        else:
            self._reach_type(kind.base)
            texts = allowed_texts(kind.checks)
            meaning = literal(texts) if texts else self.read(kind.base)
        alias = self.names.claim(self.stem(kind.schema, kind.name))
        self._aliases_by_type[oid] = alias
        self.aliases[alias] = meaning


def literal(texts: list[str]) -> str:
    """Return the annotation of these texts and no others."""
    return f"Literal[{', '.join(repr(text) for text in texts)}]" if texts else "str"
