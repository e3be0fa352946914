"""The programs that workers run, and what each of them needs to see of this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
# Without the site module, which it has no time for, a program is told where its packages lie.
START: Final = (
    "import sys; sys.path[1:1] = sys.argv.pop(2).split(':'); __import__('inside.' + sys.argv.pop(1), fromlist=['main']).main()"
)


@dataclass(frozen=True, slots=True)
class Program:
    """A module of ``inside``. ``packages`` are those of others that it imports, ``binary`` what it runs.

    ``extra`` is a folder of packages that are not its own: code may import them.
    """

    name: str
    packages: Sequence[str] = ()
    binary: str = ""
    extra: str = ""

    def folders(self) -> list[Path]:
        """Where its modules are found, first its own."""
        return [HERE, *dict.fromkeys(_place(package).parent for package in self.packages), *self._named(self.extra)]

    def files(self) -> list[Path]:
        """All that it must be able to read besides Python itself."""
        places = [_place(package) for package in self.packages]
        return [HERE / "inside", *places, *self._named(self.binary), *self._named(self.extra)]

    @staticmethod
    def _named(path: str) -> list[Path]:
        return [Path(path)] if path else []


PYTHON: Final = Program("monty", ("pydantic_monty", "typing_extensions"), str(Path(sys.executable).with_name("monty")))
# Only behind walls that keep files and network away.
CPYTHON: Final = Program("cpython")
JAVASCRIPT: Final = Program("javascript", ("_quickjs",))
TEMPLATE: Final = Program("template", ("minijinja",))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one call may use: ``seconds`` of time, bytes of ``memory``."""

    seconds: float
    memory: int


def command(program: Program, bounds: Bounds, *, python: str = sys.executable) -> list[str]:
    """Runs the program as a worker."""
    given = json.dumps({"seconds": bounds.seconds, "memory": bounds.memory, "binary": program.binary})
    places = ":".join(str(folder) for folder in program.folders())
    return [python, "-I", "-S", "-c", START, program.name, places, given]


def _place(package: str) -> Path:
    """The package's folder, or the file of a single module."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"The sandbox needs {package}.")
    return Path(found.origin).parent if found.submodule_search_locations else Path(found.origin)
