"""The generated files, by path."""

from __future__ import annotations

from pathlib import Path

from parley.codegen.api import ASYNC, SYNC, write_api
from parley.codegen.catalog import Catalog
from parley.codegen.files import formatted, module_name
from parley.codegen.hints import Hints
from parley.codegen.models import write_models
from parley.codegen.reference import write_api_reference, write_error_reference
from parley.codegen.vocabulary import Vocabulary


def python_files(catalog: Catalog, hints: Hints, folder: Path) -> dict[Path, str]:
    """Return models.py, api.py and api_sync.py for a folder."""
    vocabulary = Vocabulary(catalog, hints)
    models = module_name(folder, "models")
    sources = {
        "models.py": write_models(vocabulary),
        "api.py": write_api(vocabulary, ASYNC, models),
        "api_sync.py": write_api(vocabulary, SYNC, models),
    }
    return {folder / name: formatted(source) for name, source in sources.items()}


def reference_files(catalog: Catalog, hints: Hints, folder: Path) -> dict[Path, str]:
    """Return api.md and errors.md for a folder."""
    return {
        folder / "api.md": write_api_reference(Vocabulary(catalog, hints)),
        folder / "errors.md": write_error_reference(catalog),
    }


def skipped(catalog: Catalog) -> list[str]:
    """Return a sentence for every function that gets no method."""
    vocabulary = Vocabulary(catalog, Hints())
    return [
        f"{function.schema}.{function.name} has no method: {reason}."
        for function in catalog.functions
        if (reason := vocabulary.objection(function)) is not None
    ]
