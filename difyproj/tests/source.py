"""The project's own source, as its tests look at it: files, modules, syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("difyproj", "accounts", "apps", "datasets", "workflows")
OTHER = ("bench", "conftest.py", "manage.py")


def files(*places: str) -> Iterator[Path]:
    """Python files below the given places, migrations left out."""
    for place in places:
        path = ROOT / place
        found = [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))
        yield from (file for file in found if "migrations" not in file.parts and file.exists())


def own_files() -> Iterator[Path]:
    return files(*PACKAGES, *OTHER)


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def place(file: Path, line: int) -> str:
    return f"{file.relative_to(ROOT)}:{line}"


def is_test(file: Path) -> bool:
    return "tests" in file.parts or "testing" in file.parts or file.name == "conftest.py"
