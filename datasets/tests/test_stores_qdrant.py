"""What goes wrong with a Qdrant server becomes an error that says so, and its key goes nowhere else."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from uuid import UUID

import pytest
from django.conf import settings

from datasets.rag.stores import Entry, Index
from datasets.stores.qdrant import QdrantStore
from datasets.tests.store_servers import qdrant
from difyproj.kernel.errors import ServiceUnavailable
from difyproj.testing.upstream import FakeUpstream, Script

PLACE = Index(UUID(int=1), UUID(int=2), 3, 2)
ENTRY = Entry(UUID(int=4), UUID(int=5), UUID(int=6), "some words", array("f", [0.6, 0.8]).tobytes())


@pytest.fixture
def server(house_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeUpstream]:
    with qdrant(monkeypatch) as fake:
        yield fake


def test_the_key_is_sent_and_points_carry_their_document_alone(server: FakeUpstream) -> None:
    QdrantStore().put(PLACE, [ENTRY])
    assert {request.headers["api-key"] for request in server.received} == {"a key of qdrant's"}
    (point,) = server.last.body["points"]
    assert point["payload"] == {"document_id": str(ENTRY.document_id)} and b"some words" not in server.last.raw
    assert f"{PLACE.tenant_id.hex}_{PLACE.dataset_id.hex}_3/points?wait=true" in server.last.path


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (Script(fail=403, fail_message="Invalid API key"), "status 403: Invalid API key"),
        (Script(fail=500, fail_message="disk full"), "status 500: disk full"),
        (Script(hang="before"), "did not answer in time"),
    ],
)
def test_failures_are_told_and_write_nothing(
    server: FakeUpstream, monkeypatch: pytest.MonkeyPatch, script: Script, message: str
) -> None:
    store = QdrantStore()
    store.put(PLACE, [ENTRY])
    monkeypatch.setattr(settings, "QDRANT_TIMEOUT_SECONDS", 0.2)
    server.script = script
    other = Entry(UUID(int=7), UUID(int=8), UUID(int=9), "others", ENTRY.vector)
    for call in (
        lambda: store.put(PLACE, [other]),
        lambda: store.nearest(PLACE, ENTRY.vector or b"", top_k=1),
        lambda: store.remove(PLACE, nodes=[ENTRY.node_id]),
        lambda: store.drop(PLACE),
    ):
        with pytest.raises(ServiceUnavailable, match=message) as caught:
            call()
        assert "a key of qdrant's" not in str(caught.value)
    server.script = Script()
    assert store.count(PLACE) == 1
    assert len(store.nearest(PLACE, ENTRY.vector or b"", top_k=5)) == 1


def test_a_server_that_is_away_is_told(server: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "QDRANT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailable, match="could not be reached"):
        QdrantStore().put(PLACE, [ENTRY])
    monkeypatch.setattr(settings, "QDRANT_URL", "")
    with pytest.raises(ServiceUnavailable, match="QDRANT_URL is not set"):
        QdrantStore().put(PLACE, [ENTRY])
