"""Fixtures of the account tests: a browser of nobody yet, and an empty outbox."""

from __future__ import annotations

import pytest
from django.core import mail

from difyproj.testing.browser import Browser
from difyproj.testing.served import Served


@pytest.fixture(autouse=True)
def _outbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "outbox", [], raising=False)


@pytest.fixture
def browser(house: Served) -> Browser:
    return Browser(house)


@pytest.fixture
def page(house: Served) -> Browser:
    """A browser at the Web API."""
    return Browser(house, "/api")
