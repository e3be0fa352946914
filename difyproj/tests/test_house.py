"""The house rules that a machine can check: floors, sizes, names, places."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

from difyproj.tests.source import PACKAGES, ROOT, files, is_test, module_name, own_files, place, tree

LONGEST_FILE, LONGEST_FUNCTION = 500, 60
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = PYPROJECT["tool"]["importlinter"]["contracts"]
# The node step, the pump, the job's attempt, the edge that must answer whatever happens, the child that runs a stranger's code.
CATCH_ALL = {"workflows/engine/execution.py", "apps/generation/pump.py", "difyproj/infra/jobs/run.py"}
CATCH_ALL |= {"difyproj/tiers/handler.py", "difyproj/infra/sandbox/inside/cpython.py"}
CATCH_ALL |= {"apps/generation/commits.py", "apps/generation/graph_resume.py", "apps/generation/triggered.py"}
WORDLESS_NAMES = {"common", "misc", "util", "utils", "helper", "helpers", "manager", "managers"}
UNSAFE_LOADERS = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}


def floors() -> list[set[str]]:
    """The modules of each layer, from the roof down."""
    (contract,) = [contract for contract in CONTRACTS if contract["type"] == "layers"]
    return [{name.strip(" ()") for name in layer.replace("|", ":").split(":")} for layer in contract["layers"]]


def floor_of(module: str, layers: list[set[str]]) -> int | None:
    standing = [index for index, names in enumerate(layers) if any(f"{module}.".startswith(f"{name}.") for name in names)]
    assert len(standing) <= 1, f"{module} stands on several floors"
    return standing[0] if standing else None


def test_every_module_stands_on_a_floor_and_the_halls_between_are_empty() -> None:
    layers, homeless = floors(), []
    for file in files(*PACKAGES):
        module = module_name(file)
        if floor_of(module, layers) is None:
            body = tree(file).body
            is_hall = file.name == "__init__.py" and all(isinstance(node, ast.Expr) for node in body)
            if not is_hall:
                homeless.append(module)
    assert not homeless, f"Put these on a floor in pyproject.toml: {homeless}"


def test_every_folder_with_modules_is_a_package_that_the_linter_sees() -> None:
    folders = {file.parent for file in files(*PACKAGES)}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


def test_the_contracts_are_kept() -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))",
    ]
    linter = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert linter.returncode == 0, linter.stdout


def test_no_contract_has_an_exception() -> None:
    assert len(CONTRACTS) == 6
    assert not [contract["id"] for contract in CONTRACTS if "ignore_imports" in contract]


def test_no_file_is_too_long() -> None:
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in own_files()}
    assert not {str(file.relative_to(ROOT)): length for file, length in lengths.items() if length > LONGEST_FILE}


def test_no_function_is_too_long() -> None:
    long = []
    for file in own_files():
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long.append(f"{place(file, node.lineno)} {node.name}: {length} lines")
    assert not long


def test_every_module_says_what_it_is() -> None:
    assert not [str(file.relative_to(ROOT)) for file in own_files() if tree(file).body and not ast.get_docstring(tree(file))]


def test_every_function_says_what_it_takes_and_gives() -> None:
    untyped = []
    for file in own_files():
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                bare = [item.arg for item in arguments if item.annotation is None and item.arg not in ("self", "cls")]
                if bare or node.returns is None:
                    untyped.append(f"{place(file, node.lineno)} {node.name}")
    assert not untyped


def test_modules_are_named_after_what_they_do() -> None:
    assert not [str(file.relative_to(ROOT)) for file in own_files() if file.stem in WORDLESS_NAMES]


def test_imports_stand_at_the_top() -> None:
    hidden: list[str] = []
    for file in own_files():
        for function in ast.walk(tree(file)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and not _may_import_late(file, function.name):
                inside = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
                hidden.extend(place(file, node.lineno) for node in inside)
    assert not hidden


def _may_import_late(file: Path, function: str) -> bool:
    return file.name == "apps.py" and function == "ready"


def test_nothing_is_unpickled() -> None:
    found: list[Path] = []
    for file in own_files():
        for node in ast.walk(tree(file)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found.extend(file for name in names if name.split(".")[0] in UNSAFE_LOADERS)
    assert not found


def test_errors_of_every_kind_are_kept_in_few_named_places_only() -> None:
    caught: set[str] = set()
    for file in own_files():
        if not is_test(file) and not file.is_relative_to(ROOT / "bench"):
            handlers = [node for node in ast.walk(tree(file)) if isinstance(node, ast.ExceptHandler)]
            caught.update(str(file.relative_to(ROOT)) for handler in handlers if _keeps_everything(handler))
    assert caught <= CATCH_ALL


def _keeps_everything(handler: ast.ExceptHandler) -> bool:
    """A handler that cleans up and raises again keeps nothing."""
    names = ast.unparse(handler.type) if handler.type else "BaseException"
    last = handler.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    return names in ("Exception", "BaseException") and not raises_again
