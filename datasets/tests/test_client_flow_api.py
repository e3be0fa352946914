"""The flow of the vendor's Python client with datasets, by the routes, bodies and older names that it uses."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from dify_client import DifyClient

from datasets.models import Dataset, Document, Segment
from difyproj.testing.knowledge_contract import dataset_key, work
from difyproj.testing.served import Served


class Client:
    """The published client's requests; its datasets came later, so their paths stand here."""

    def __init__(self, url: str, token: str) -> None:
        self._client = DifyClient(token)
        self._client.base_url = f"{url}/v1"

    async def call(self, method: str, path: str, body: Any = None, status: int = 200, **options: Any) -> Any:
        response = await asyncio.to_thread(self._client._send_request, method, path, body, **options)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def upload(self, path: str, data: dict[str, Any], name: str, content: bytes) -> Any:
        files = {"file": (name, content, "text/plain")}
        sent = {"data": json.dumps(data)}
        response = await asyncio.to_thread(self._client._send_request_with_files, "POST", path, sent, files)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
async def client(house: Served) -> Client:
    return Client(house.url, await sync_to_async(dataset_key)(house.cast.alice))


async def indexed(client: Client, dataset: str, batch: str) -> None:
    """Asks until every document of the batch is indexed, as the client's own test does."""
    await work()
    for _ in range(50):
        rows = (await client.call("GET", f"/datasets/{dataset}/documents/{batch}/indexing-status"))["data"]
        if all(row["indexing_status"] == "completed" for row in rows):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(rows)


async def test_from_an_empty_dataset_to_edited_segments_and_back(client: Client) -> None:
    dataset = (await client.call("POST", "/datasets", {"name": "test-dataset"}))["id"]
    base = f"/datasets/{dataset}"
    listed = await client.call("GET", "/datasets?page=1&limit=20")
    assert [row["id"] for row in listed["data"]] == [dataset]
    text = {
        "indexing_technique": "high_quality", "process_rule": {"mode": "automatic"}, "name": "test-doc", "text": "test text",
    }  # fmt: skip
    made = await client.call("POST", f"{base}/document/create_by_text", text)
    document, batch = made["document"]["id"], made["batch"]
    await indexed(client, dataset, batch)
    changed = await client.call("POST", f"{base}/documents/{document}/update_by_text", {"name": "new", "text": "new text"})
    await indexed(client, dataset, changed["batch"])
    segments = f"{base}/documents/{document}/segments"
    assert [row["content"] for row in (await client.call("GET", segments))["data"]] == ["new text"]
    added = await client.call("POST", segments, {"segments": [{"content": "a segment"}]})
    segment = added["data"][0]["id"]
    edited = await client.call("POST", f"{segments}/{segment}", {"segment": {"content": "an edited segment"}})
    assert edited["data"]["content"] == "an edited segment"
    assert (await Segment.objects.aget(pk=segment)).content == "an edited segment"
    await client.call("DELETE", f"{segments}/{segment}", status=204)
    assert not await Segment.objects.filter(pk=segment).aexists()
    found = await client.call("POST", f"{base}/hit-testing", {"query": "text"})
    assert [row["segment"]["content"] for row in found["records"]] == ["new text"]
    await client.call("DELETE", f"{base}/documents/{document}", status=204)
    assert not await Document.objects.filter(pk=document).aexists()
    await client.call("DELETE", base, status=204)
    assert not await Dataset.objects.filter(pk=dataset).aexists()


async def test_files_come_with_their_settings_as_one_form_field(client: Client) -> None:
    dataset = (await client.call("POST", "/datasets", {"name": "files"}))["id"]
    data = {"indexing_technique": "economy", "process_rule": {"mode": "automatic"}}
    made = await client.upload(f"/datasets/{dataset}/document/create_by_file", data, "readme.txt", b"Read me first.")
    await indexed(client, dataset, made["batch"])
    path = f"/datasets/{dataset}/documents/{made['document']['id']}/update_by_file"
    again = await client.upload(path, {"name": "second.txt"}, "readme.txt", b"Read me again.")
    await indexed(client, dataset, again["batch"])
    row = await Document.objects.aget(pk=made["document"]["id"])
    assert (row.name, [segment.content async for segment in row.segments.all()]) == ("second.txt", ["Read me again."])
