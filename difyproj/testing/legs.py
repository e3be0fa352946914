"""What a leg of ``script/test`` leaves out, because it has nothing new to say there (``pytest --leg services``, ``python``).

The first leg runs everything: the default Python on SQLite. A further leg changes one thing, and runs what can notice:

- ``services`` (PostgreSQL and Redis): tests that ask for the database or for an installation, and the whole of the rooms
  whose adapters speak to both. What asks for neither knows neither.
- ``python`` (another version of Python): all but the tests that read the sources or the documents, and the searches of the
  fuzzers, which look for inputs that our own code does not expect.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

ASK_FOR_SERVICES = frozenset({"django_db_setup", "untouched"})
ADAPTERS = ("difyproj/infra/tests/",)
KNOW_NO_SERVICE = ("difyproj/infra/tests/test_sandbox",)
READ_OR_SEARCH = (
    "apps/tests/test_fuzz",
    "apps/tests/test_dsl_odd_files.py",
    "difyproj/tests/test_docs.py",
    "difyproj/tests/test_egress_only.py",
    "difyproj/tests/test_house.py",
)
LEGS = ("all", "services", "python")


def is_told_apart(leg: str, nodeid: str, fixtures: Iterable[str]) -> bool:
    """Whether the test can come out differently on this leg."""
    if leg == "services":
        if nodeid.startswith(ADAPTERS):
            return not nodeid.startswith(KNOW_NO_SERVICE)
        return not ASK_FOR_SERVICES.isdisjoint(fixtures)
    return leg == "all" or not nodeid.startswith(READ_OR_SEARCH)


def choose(config: pytest.Config, items: list[pytest.Item]) -> None:
    leg = config.getoption("--leg")
    left_out = [item for item in items if not is_told_apart(leg, item.nodeid, getattr(item, "fixturenames", ()))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
