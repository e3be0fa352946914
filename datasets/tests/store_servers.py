"""What each store needs around it in tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from datasets.rag.stores import Store
from datasets.stores import STORES


@contextmanager
def serving(name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store of that name, ready and empty. Skips the test where its server cannot be had."""
    if name in ("pgvector", "qdrant"):
        pytest.skip("not yet")
    yield STORES.get(name)()
