"""The Console API of datasets: what members' calls leave behind, and what they are told of each other's."""

from __future__ import annotations

from typing import Any

import aiohttp

from datasets.models import Dataset
from difyproj.testing.console import signed_in
from difyproj.testing.served import Served


async def test_a_start_with_a_rule_that_cannot_be_leaves_no_dataset(house: Served) -> None:
    alice = await signed_in(house, house.cast.alice)
    form = aiohttp.FormData()
    form.add_field("file", b"Once upon a time", filename="a.txt", content_type="text/plain")
    file_id = (await alice.post("/files/upload", data=form)).json()["id"]
    info = {"data_source_type": "upload_file", "file_info_list": {"file_ids": [file_id]}}
    body: dict[str, Any] = {"data_source": {"info_list": info}, "indexing_technique": "economy"}
    refused = await alice.post("/datasets/init", {**body, "process_rule": {"mode": "custom", "rules": {}}})
    assert (refused.status, await Dataset.objects.acount()) == (400, 0)
    assert (await alice.post("/datasets/init", body)).status == 201


async def test_an_external_api_is_in_use_by_datasets_that_the_asker_may_not_see(house: Served) -> None:
    alice, bob = [await signed_in(house, person) for person in (house.cast.alice, house.cast.bob)]
    place, settings = "/datasets/external-knowledge-api", {"endpoint": "https://a.example", "api_key": "k"}
    api = (await alice.post(place, {"name": "Wiki", "settings": settings})).json()["id"]
    made = {"name": "Salaries", "external_knowledge_api_id": api, "external_knowledge_id": "k1"}
    assert (await alice.post("/datasets/external", made)).status == 201
    assert (await bob.get(f"{place}/{api}/use-check")).json() == {"is_using": True, "count": 1}
    for told in ((await bob.get(f"{place}/{api}")).json(), (await bob.get(place)).json()["data"][0]):
        assert told["dataset_bindings"] == []
