"""What is imported is required, what is required is pinned, explained and locked; the scripts keep out of the way."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from difyproj.tests.source import PACKAGES, ROOT, is_test, own_files, tree

INSTALLED = importlib.metadata.packages_distributions()
OWN = {*PACKAGES, "bench", "conftest"}
# It runs in an environment of its own, beside the bench that starts it.
OF_OTHERS = {ROOT / "bench" / "langchain_chroma_script.py"}
SCRIPTS = [*sorted((ROOT / "script").iterdir()), ROOT / ".ci" / "run"]


def pinned(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([a-z0-9-]+)(?:\[[a-z,]+\])?==([^ ;]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def imported(file: Path) -> Iterator[str]:
    """Top-level names of other people's packages that ``file`` imports."""
    for node in ast.walk(tree(file)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        yield from ({name.partition(".")[0] for name in names} - sys.stdlib_module_names - OWN)


def test_everything_imported_is_required() -> None:
    product, development = set(pinned("requirements.txt")), set(pinned("requirements-dev.txt"))
    # What is installed only for those who want it is known by its own name.
    extra = set(pinned("requirements-embeddings.txt"))
    strangers = set()
    for file in own_files():
        if file in OF_OTHERS:
            continue
        allowed = product | development if is_test(file) or file.is_relative_to(ROOT / "bench") else product
        for name in imported(file):
            if name not in extra and not {dist.lower().replace("_", "-") for dist in INSTALLED.get(name, [])} & allowed:
                strangers.add(f"{file.relative_to(ROOT)}: {name}")
    assert not strangers


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_explained_and_locked(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("-r")]
    assert not [line for line in lines if not line.startswith("#") and "==" not in line]
    assert lines[0].startswith("#") and lines[1].startswith("#")
    locked = pinned(name.replace(".txt", ".lock"))
    assert pinned(name).items() <= locked.items()


def test_both_locks_agree_and_name_no_place_to_download_from() -> None:
    assert pinned("requirements.lock").items() <= pinned("requirements-dev.lock").items()
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert text.count("--hash=sha256:") > len(pinned(name))


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name for script in SCRIPTS])
def test_scripts_are_sound_and_can_be_run(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    text = script.read_text(encoding="utf-8")
    if text.startswith("#!/usr/bin/env python3"):
        compile(text, str(script), "exec")
        return
    assert "set -euo pipefail" in text
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_a_prepared_environment_costs_no_time(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    took = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([ROOT / "script" / "setup"], env={"PATH": "/usr/bin:/bin", "DIFYPROJ_VENV": str(tmp_path)}, check=True)
        took.append(time.monotonic() - began)
    assert min(took) < 0.05
    assert sorted(item.name for item in tmp_path.iterdir()) == ["bin", "requirements.lock"]


def test_an_unsuitable_python_is_refused_in_words(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": "/bin/false", "DIFYPROJ_VENV": str(tmp_path / "venv")}
    made = subprocess.run([ROOT / "script" / "setup"], env=environment, capture_output=True, text=True, check=False)
    assert made.returncode != 0
    assert "Python 3.11, 3.12 or 3.13" in made.stderr
    assert not (tmp_path / "venv").exists()
