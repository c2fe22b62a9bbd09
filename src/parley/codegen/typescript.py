"""Writes TypeScript: a type per row, and what each function takes and returns.

The Supabase CLI knows types, but not which text a column may have, which argument may be null,
which column the role may not read, or what a comment says. ``Functions`` has the form of the CLI's,
so that supabase-js takes it.
"""

from __future__ import annotations

import ast
import json
import re

from parley.codegen.api import result, split_path
from parley.codegen.catalog import Argument, Function, Relation
from parley.codegen.literals import python_default
from parley.codegen.names import pascal
from parley.codegen.vocabulary import Vocabulary

NAMES = {
    "UUID": "string",
    "bool": "boolean",
    "int": "number",
    "float": "number",
    "str": "string",
    "Numeric": "number",
    "AwareDatetime": "string",
    "Bytea": "string",
}
"""What an annotation of Python is in JSON; any other name is that of a type or Json."""

GROUPS = {"Tables": "rpf", "Views": "vm"}
"""Where the CLI's type of a schema has a relation, by the letters of pg_class."""

IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)


def write_typescript(vocabulary: Vocabulary) -> str:
    """Return the source, before it is formatted. It uses ``Json`` and does not define it."""
    catalog = vocabulary.catalog
    functions = [each for each in catalog.functions if vocabulary.objection(each) is None]
    parts = [
        f"export type {name} = {typed(value)};\n" for name, value in vocabulary.aliases.items()
    ]
    parts += [row(vocabulary, relation) for relation in vocabulary.relations]
    parts += [function_row(vocabulary, each) for each in functions if each.outputs]
    for schema in catalog.schemas:
        written = "".join(function(vocabulary, each) for each in functions if each.schema == schema)
        parts.append(
            comment(f"What the functions of {schema} take and return.", "")
            + f"export type {pascal(schema)}Functions = {{\n{written}}};\n"
        )
    return "\n".join(parts)


def write_database(vocabulary: Vocabulary) -> str:
    """Return the type of a database for supabase-js, out of the CLI's and the functions."""
    schemas = vocabulary.catalog.schemas
    return (
        comment("The database with its functions as they are; give it to createClient.", "")
        + f"export type TypedDatabase = Omit<Database, {' | '.join(map(quoted, schemas))}> & {{\n"
        + "".join(f"  {name(each)}: {typed_schema(vocabulary, each)};\n" for each in schemas)
        + "};\n"
    )


def typed_schema(vocabulary: Vocabulary, schema: str) -> str:
    """Return the type of a schema: its functions, and rows with the columns that may be read."""
    found = f"Database[{quoted(schema)}]"
    members = {"Functions": f"{pascal(schema)}Functions"}
    for group, kinds in GROUPS.items():
        grouped = f"{found}[{quoted(group)}]"
        narrower = {
            relation.name: readable(relation, f"{grouped}[{quoted(relation.name)}]")
            for relation in vocabulary.catalog.tables
            if relation.schema == schema
            and relation.kind in kinds
            and relation.readable != relation.columns
        }
        if narrower:
            members[group] = replaced(grouped, narrower)
    return replaced(found, members)


def readable(relation: Relation, found: str) -> str:
    """Return the type of a table without the columns that the role may not read."""
    hidden = " | ".join(quoted(each.name) for each in relation.columns if not each.may_read)
    return replaced(found, {"Row": f'Omit<{found}["Row"], {hidden}>'})


def replaced(whole: str, members: dict[str, str]) -> str:
    """Return a type with other members of these names."""
    names = " | ".join(map(quoted, members))
    written = " ".join(f"{name(each)}: {value};" for each, value in members.items())
    return f"Omit<{whole}, {names}> & {{ {written} }}"


def row(vocabulary: Vocabulary, relation: Relation) -> str:
    """Return the type of a row that is read."""
    lines = [comment(relation.comment or f"A row of {relation.name}.", "")]
    lines.append(f"export type {vocabulary.form(relation, 'Row')} = {{\n")
    for column in relation.readable:
        if column.comment:
            lines.append(comment(column.comment, "  "))
        lines.append(f"  {name(column.name)}: {typed(vocabulary.column(relation, column))};\n")
    return "".join(lines) + "};\n"


def function_row(vocabulary: Vocabulary, function: Function) -> str:
    """Return the type of the rows of a function that returns columns of its own."""
    lines = [comment(f"What {function.name} returns.", "")]
    lines.append(f"export type {vocabulary.function_row(function)} = {{\n")
    for argument in function.outputs:
        shape = vocabulary.hints.shapes.get(f"{function.name}.{argument.name}")
        annotation = shape or vocabulary.read(argument.type)
        if not vocabulary.hints.is_never_null(function.name, argument.name):
            annotation += " | None"
        lines.append(f"  {name(argument.name)}: {typed(annotation)};\n")
    return "".join(lines) + "};\n"


def function(vocabulary: Vocabulary, function: Function) -> str:
    """Return what a function takes and returns."""
    about = function.comment or f"Call {function.name}."
    if not function.may_call:
        about += "\n\nWith the secret key only."
    arguments = "".join(taken(vocabulary, function, argument) for argument in function.inputs)
    takes = f"{{\n{arguments}    }}" if arguments else "never"
    _, is_of_python, _ = split_path(vocabulary.hints.shapes.get(function.name, ""))
    returns = "Json" if is_of_python else result(vocabulary, function)
    return (
        comment(about, "  ")
        + f"  {name(function.name)}: {{\n"
        + f"    Args: {takes};\n"
        + f"    Returns: {'undefined' if returns == 'None' else typed(returns)};\n  }};\n"
    )


def taken(vocabulary: Vocabulary, function: Function, argument: Argument) -> str:
    """Return an argument: left out where it has a default, null where that is the default."""
    shape = vocabulary.hints.shapes.get(f"{function.name}.{argument.name}")
    found = typed(shape or vocabulary.read(argument.type))
    if argument.default is None:
        return f"      {name(argument.name)}: {found};\n"
    nullable = " | null" if python_default(argument.default) == "None" else ""
    return f"      {name(argument.name)}?: {found}{nullable};\n"


def typed(annotation: str) -> str:
    """Return the type in TypeScript of what Python's annotation means as JSON."""
    return _typed(ast.parse(annotation, mode="eval").body)


def _typed(node: ast.expr) -> str:
    # A class of Python's own is any JSON here.
    found = "Json"
    match node:
        case ast.Constant(value=None):
            found = "null"
        case ast.Name(id=word):
            found = NAMES.get(word, word)
        case ast.Attribute(value=ast.Name(id="dt")):
            found = "string"
        case ast.BinOp(left=left, right=right):
            found = f"{_typed(left)} | {_typed(right)}"
        case ast.Subscript(value=ast.Name(id="list"), slice=part):
            element = _typed(part)
            found = f"({element})[]" if "|" in element else f"{element}[]"
        case ast.Subscript(value=ast.Name(id="Literal"), slice=part):
            texts = part.elts if isinstance(part, ast.Tuple) else [part]
            found = " | ".join(quoted(ast.literal_eval(text)) for text in texts)
    return found


def comment(text: str, indent: str) -> str:
    """Return a comment of JSDoc."""
    lines = text.strip().replace("*/", "* /").splitlines()
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    inside = "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines)
    return f"{indent}/**\n{inside}{indent} */\n"


def name(text: str) -> str:
    """Return the key of a property, in quotes where it has to be."""
    return text if IDENTIFIER.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    """Return a string of TypeScript."""
    return json.dumps(text)
