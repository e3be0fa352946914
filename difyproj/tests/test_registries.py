"""Every registry: its rows point into its own folder, load, and no plug-in lies there without a row."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from difyproj.kernel.registry import Registry, UnknownEntry
from difyproj.tests.source import PACKAGES, ROOT, files, is_test, module_name, tree


def registries() -> Iterator[tuple[Path, str]]:
    """(file, variable) of each registry that a module keeps."""
    for file in files(*PACKAGES):
        for node in [] if is_test(file) else tree(file).body:
            if isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Call):
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                if isinstance(target, ast.Name) and "Registry" in ast.unparse(node.value.func):
                    yield file, target.id


FOUND = [pytest.param(file, name, id=f"{module_name(file)}.{name}") for file, name in registries()]


def load(file: Path, name: str) -> Registry[Any]:
    registry = getattr(import_module(module_name(file)), name)
    assert isinstance(registry, Registry)
    return registry


def test_the_tables_of_the_house_are_found() -> None:
    kinds = {load(file, name).kind for file, name in registries()}
    assert len(kinds) == len(FOUND) >= 2


@pytest.mark.parametrize(("file", "name"), FOUND)
def test_rows_point_into_the_registrys_own_folder_and_load(file: Path, name: str) -> None:
    folder = module_name(file) if file.name == "__init__.py" else module_name(file).rpartition(".")[0]
    registry = load(file, name)
    assert len(registry) > 0
    for row, path in registry.rows().items():
        assert path.startswith(f"{folder}."), f"{row} points outside {folder}"
        assert registry.get(row) is registry.get(row)


@pytest.mark.parametrize(("file", "name"), FOUND)
def test_no_plugin_lies_in_the_folder_without_a_row(file: Path, name: str) -> None:
    modules = {path.partition(":")[0] for path in load(file, name).rows().values()}
    folders = {ROOT.joinpath(*module.split(".")[:-1]) for module in modules}
    for folder in folders if file.name == "__init__.py" else folders - {file.parent}:
        plugins = {module_name(plugin) for plugin in folder.glob("*.py") if plugin.name != "__init__.py"}
        assert plugins <= modules


@pytest.mark.parametrize(("file", "name"), FOUND)
def test_a_wrong_name_is_answered_with_the_right_ones(file: Path, name: str) -> None:
    registry = load(file, name)
    with pytest.raises(UnknownEntry) as refusal:
        registry.get("no such thing")
    assert all(row in str(refusal.value) for row in registry)
