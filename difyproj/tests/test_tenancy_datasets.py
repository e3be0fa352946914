"""The two-tenant sweep over the routes of dataset keys: nobody else's key finds anything, whatever its body names (B1, B2, B4).

The rows come from the URL table: a route without an entry here fails the first test.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async

from datasets.models import Dataset
from difyproj.testing.console import TierClient
from difyproj.testing.knowledge_contract import dataset_key
from difyproj.testing.served import Served
from difyproj.tiers.datasets import DatasetViewSet

from . import acme_datasets, bearers, sweeping
from .sweeping import Entry, Operation, call, changes, footprint, told
from .test_mass_assignment import sweep as plant

SECRET = "Alice's secret notes"
TEXT = {"name": "Stolen", "text": "x", "indexing_technique": "economy"}
RULE = {"mode": "automatic"}
ASKED = {"query": "secret"}
HERE = {"target_id": "{dataset_id}", "tag_ids": ["{knowledge_tag_id}"]}
VALUE = {"id": "{metadata_id}", "name": "x", "value": "x"}
NODE = {"inputs": {}, "datasource_type": "local_file", "is_published": True}
RUN = {
    **NODE, "datasource_info_list": [{"reference": "{pipeline_file_id}"}], "start_node_id": "x", "response_mode": "blocking",
}  # fmt: skip
OWN = frozenset({200})
WITH_FILE = frozenset({400, 404})
DATASET = "/v1/datasets/{dataset_id}"
DOCUMENT = f"{DATASET}/documents/{{document_id}}"
SEGMENT = f"{DOCUMENT}/segments/{{segment_id}}"
CHILD = f"{SEGMENT}/child_chunks/{{child_chunk_id}}"

ENTRIES: dict[tuple[str, str], Entry] = {
    ("get", "/v1/datasets"): Entry(query={"keyword": "secret", "tag_ids": "{knowledge_tag_id}"}, allowed=OWN),
    ("post", "/v1/datasets"): Entry(
        {"name": "x", "provider": "external", "external_knowledge_api_id": "{external_api_id}", "external_knowledge_id": "x"}
    ),
    ("get", "/v1/datasets/tags"): Entry(allowed=OWN),
    ("post", "/v1/datasets/tags"): Entry({"name": "Mine"}, allowed=OWN),
    ("patch", "/v1/datasets/tags"): Entry({"tag_id": "{knowledge_tag_id}", "name": "Stolen"}),
    ("delete", "/v1/datasets/tags"): Entry({"tag_id": "{knowledge_tag_id}"}),
    ("post", "/v1/datasets/tags/binding"): Entry(HERE),
    ("post", "/v1/datasets/tags/unbinding"): Entry(HERE),
    ("post", "/v1/datasets/pipeline/file-upload"): Entry(allowed=frozenset({400})),
    ("get", DATASET): Entry(),
    ("patch", DATASET): Entry({"name": "Stolen"}),
    ("delete", DATASET): Entry(),
    ("post", "/v1/retrieval"): Entry({"knowledge_id": "{dataset_id}", "query": "x"}),
    ("post", f"{DATASET}/retrieve"): Entry(ASKED),
    ("post", f"{DATASET}/hit-testing"): Entry(ASKED),
    ("get", f"{DATASET}/tags"): Entry(),
    ("get", f"{DATASET}/metadata"): Entry(),
    ("post", f"{DATASET}/metadata"): Entry({"type": "string", "name": "stolen"}),
    ("get", f"{DATASET}/metadata/built-in"): Entry(),
    ("post", f"{DATASET}/metadata/built-in/{{action}}"): Entry(ids={"action": "enable"}),
    ("patch", f"{DATASET}/metadata/{{metadata_id}}"): Entry({"name": "stolen"}),
    ("delete", f"{DATASET}/metadata/{{metadata_id}}"): Entry(),
    ("get", f"{DATASET}/pipeline/datasource-plugins"): Entry(),
    ("post", f"{DATASET}/pipeline/datasource/nodes/{{node_id}}/run"): Entry(NODE),
    ("post", f"{DATASET}/pipeline/run"): Entry(RUN),
    ("post", f"{DATASET}/document/create-by-text"): Entry(TEXT),
    ("post", f"{DATASET}/document/create_by_text"): Entry(TEXT),
    ("post", f"{DATASET}/document/create-by-file"): Entry(),
    ("post", f"{DATASET}/document/create_by_file"): Entry(),
    ("get", f"{DATASET}/documents"): Entry(),
    ("post", f"{DATASET}/documents/metadata"): Entry(
        {"operation_data": [{"document_id": "{document_id}", "metadata_list": [VALUE]}]}
    ),
    ("post", f"{DATASET}/documents/download-zip"): Entry({"document_ids": ["{document_id}"]}),
    ("patch", f"{DATASET}/documents/status/{{action}}"): Entry({"document_ids": ["{document_id}"]}, ids={"action": "disable"}),
    ("get", f"{DATASET}/documents/{{batch}}/indexing-status"): Entry(),
    ("get", DOCUMENT): Entry(),
    ("patch", DOCUMENT): Entry({"data": ""}),
    ("delete", DOCUMENT): Entry(),
    ("get", f"{DOCUMENT}/download"): Entry(),
    ("post", f"{DOCUMENT}/update-by-text"): Entry(TEXT),
    ("post", f"{DOCUMENT}/update_by_text"): Entry(TEXT),
    ("post", f"{DOCUMENT}/update-by-file"): Entry(),
    ("post", f"{DOCUMENT}/update_by_file"): Entry(),
    ("get", f"{DOCUMENT}/segments"): Entry(query={"keyword": "secret"}),
    ("post", f"{DOCUMENT}/segments"): Entry({"segments": [{"content": "x"}]}),
    ("get", SEGMENT): Entry(),
    ("post", SEGMENT): Entry({"segment": {"content": "Stolen"}}),
    ("delete", SEGMENT): Entry(),
    ("get", f"{SEGMENT}/child_chunks"): Entry(),
    ("post", f"{SEGMENT}/child_chunks"): Entry({"content": "x"}),
    ("patch", CHILD): Entry({"content": "Stolen"}),
    ("delete", CHILD): Entry(),
    ("get", "/v1/workspaces/current/models/model-types/{model_type}"): Entry(ids={"model_type": "llm"}, allowed=OWN),
}


def is_of_datasets(operation: Operation) -> bool:
    view = operation.route.view
    return isinstance(view, type) and issubclass(view, DatasetViewSet)


def operations() -> list[Operation]:
    return [operation for operation in sweeping.operations("v1/") if is_of_datasets(operation)]


def client(house: Served, token: str) -> TierClient:
    return TierClient(house, "", {"Authorization": f"Bearer {token}"})


def test_every_route_has_an_entry_and_every_entry_a_route() -> None:
    assert {operation.name for operation in operations()} == set(ENTRIES)


async def alices(house: Served) -> dict[str, str]:
    return await sync_to_async(acme_datasets.furnish)(house.cast.alice, SECRET)


async def sweep(house: Served, token: str, ids: dict[str, str], swapped: dict[str, str], allowed: frozenset[int]) -> None:
    """Each route with Alice's ids, those that are ``swapped`` excepted."""
    before, stranger = await sync_to_async(footprint)(house.cast.alice.tenant), client(house, token)
    for operation in operations():
        entry = ENTRIES[operation.name]
        answer = await call(stranger, operation, entry, {**ids, **swapped})
        assert answer.status in entry.allowed | allowed, told(operation, answer)
        assert SECRET.encode() not in answer.body, told(operation, answer)
        hers = [value for name, value in ids.items() if name not in swapped and name != "batch"]
        assert all(value.encode() not in answer.body for value in hers), told(operation, answer)
    assert changes(before, await sync_to_async(footprint)(house.cast.alice.tenant)) == []


async def test_another_tenants_key_reaches_nothing(house: Served) -> None:
    ids, token = await alices(house), await sync_to_async(dataset_key)(house.cast.eve)
    await sweep(house, token, ids, {}, frozenset())


async def test_no_more_by_way_of_a_dataset_of_ones_own(house: Served) -> None:
    ids, token = await alices(house), await sync_to_async(dataset_key)(house.cast.eve)
    own = await sync_to_async(acme_datasets.make)(house.cast.eve, "Eve's")
    await sweep(house, token, ids, {"dataset_id": str(own.pk)}, frozenset({200, 201, 204, 400}))


async def test_bodies_plant_no_columns(house: Served) -> None:
    ids, token = await alices(house), await sync_to_async(dataset_key)(house.cast.alice)
    mine = client(house, token)
    calls: list[Any] = []
    for operation in operations():
        entry = ENTRIES[operation.name]
        if operation.method != "get" and isinstance(entry.body, dict):
            here = {**dict.fromkeys(operation.route.parameters, "x"), **ids, **entry.ids}
            body: Any = sweeping.filled(entry.body, here)
            calls.append((mine, operation.method, operation.route.path.format(**here), body, {}))
    await plant(house, calls)


async def test_no_other_credential_opens_the_routes(house: Served) -> None:
    ids = await alices(house)
    given = await sync_to_async(bearers.of)(house.cast.alice, house.chat)
    before = await sync_to_async(footprint)(house.cast.alice.tenant)
    for name, token in given.items():
        for operation in operations() if name != bearers.DATASET_KEY else ():
            answer = await call(client(house, token), operation, ENTRIES[operation.name], ids)
            assert (answer.status, answer.json()["code"]) == (401, "unauthorized"), told(operation, answer, name)
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"', told(operation, answer, name)
    assert changes(before, await sync_to_async(footprint)(house.cast.alice.tenant)) == []


async def test_a_dataset_that_answers_no_keys_answers_none(house: Served) -> None:
    ids, token = await alices(house), await sync_to_async(dataset_key)(house.cast.alice)
    await Dataset.objects.filter(pk=ids["dataset_id"]).aupdate(enable_api=False)
    before, mine = await sync_to_async(footprint)(house.cast.alice.tenant), client(house, token)
    for operation in operations():
        entry = ENTRIES[operation.name]
        if "dataset_id" in operation.route.parameters:
            answer = await call(mine, operation, entry, ids)
            refused = (answer.status, answer.json()["code"], answer.json()["message"])
            assert refused == (403, "forbidden", "Dataset api access is not enabled."), told(operation, answer)
    assert changes(before, await sync_to_async(footprint)(house.cast.alice.tenant)) == []
