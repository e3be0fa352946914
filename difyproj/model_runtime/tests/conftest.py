"""The egress client that tests of this room call fake upstreams with."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from difyproj.kernel.http import AddressPolicy, Egress
from difyproj.model_runtime.runtime import Backoff, ModelRuntime


@pytest.fixture
async def http() -> AsyncIterator[Egress]:
    client = Egress(AddressPolicy(allow=["127.0.0.1"]))
    yield client
    await client.aclose()


@pytest.fixture
def runtime(http: Egress) -> ModelRuntime:
    """A runtime that waits little between tries."""
    return ModelRuntime(http, backoff=Backoff(tries=3, first=0.001, longest=0.05))
