"""The documents name what the code has: every setting, provider, mode and node; and links lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from apps.modes.table import MODES
from difyproj.model_runtime import catalogue
from difyproj.settings.providers import ROWS
from difyproj.tests.source import ROOT, files, tree
from workflows.nodes import NODES

READERS = {f"env.{kind}" for kind in ("raw", "text", "flag", "integer", "seconds", "choice", "words", "address", "key", "keys")}
PAPERS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").glob("*.md"))]


def settings_read() -> set[str]:
    """Names of the environment variables that the settings read."""
    names = set()
    for file in files("difyproj/settings"):
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in READERS and isinstance(node.args[0], ast.Constant):
                names.add(str(node.args[0].value))
    for row in ROWS:
        names.update(pair[0] for pair in (row.key, row.url) if pair)
        names.add(f"{row.prefix}_MODEL")
    return names


def headings(page: str) -> set[str]:
    return set(re.findall(r"^#+ .*?`([^`]+)`", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE))


def test_every_setting_is_documented_and_every_documented_setting_is_read() -> None:
    rows = re.findall(r"^\|.*$", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    first_cells = {name for row in rows for name in re.findall(r"^\| `([A-Z_]+)`", row)}
    any_cells = {name for row in rows for name in re.findall(r"\| `([A-Z_]+)`", row)}
    assert len(settings_read()) > 40
    assert first_cells <= settings_read() <= any_cells


def test_every_mode_and_node_has_its_heading() -> None:
    assert headings("graphs.md") == {*MODES, *NODES}


def test_every_provider_has_its_heading() -> None:
    assert set(catalogue.names()) <= headings("models.md")


def test_the_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(page.name[:4]) for page in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("page", PAPERS, ids=[str(page.relative_to(ROOT)) for page in PAPERS])
def test_links_between_the_papers_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]
