"""The legs of the suite leave out what their rule says, and nothing that is not there."""

from __future__ import annotations

import pytest

from difyproj.testing import legs
from difyproj.testing.process import ROOT


@pytest.mark.parametrize(
    ("leg", "nodeid", "fixtures", "runs"),
    [
        ("all", "difyproj/tests/test_house.py::test_x", [], True),
        ("services", "apps/tests/test_chat_messages.py::test_x", ["house", "django_db_setup"], True),
        ("services", "apps/tests/test_console_tour.py::test_x", ["untouched"], True),
        ("services", "apps/tests/test_config.py::test_x", ["tmp_path"], False),
        ("services", "difyproj/infra/tests/test_slots.py::test_x", [], True),
        ("services", "difyproj/infra/tests/test_sandbox_escapes.py::test_x", [], False),
        ("python", "apps/tests/test_chat_messages.py::test_x", ["house"], True),
        ("python", "apps/tests/test_fuzz_web.py::test_x", ["house"], False),
        ("python", "difyproj/tests/test_house.py::test_x", [], False),
    ],
)
def test_a_leg_runs_what_it_can_tell_apart(leg: str, nodeid: str, fixtures: list[str], runs: bool) -> None:
    assert legs.is_told_apart(leg, nodeid, fixtures) is runs


def test_what_is_left_out_by_name_is_there() -> None:
    for start in (*legs.ADAPTERS, *legs.KNOW_NO_SERVICE, *legs.READ_OR_SEARCH):
        assert list(ROOT.glob(f"{start}*")), start


def test_who_asks_for_the_database_is_known_by_it(request: pytest.FixtureRequest, house_db: None) -> None:
    assert not legs.ASK_FOR_SERVICES.isdisjoint(request.fixturenames)
