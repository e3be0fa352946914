"""The Service API of datasets: what its calls leave in the rows, and what it refuses."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import override_settings

from apps.models import DatasetUse
from datasets.models import Dataset, Document, MetadataField, Segment
from difyproj.infra.storage import get_storage
from difyproj.testing.knowledge_contract import DATASET, DOCUMENT, SEGMENT, TEXT, Library, form, work
from difyproj.testing.served import Served


@pytest.fixture
async def library(house: Served) -> Library:
    return await Library.of(house)


async def refusal(library: Library, method: str, path: str, status: int, **options: Any) -> tuple[str, str]:
    body = (await library.call(method, path, status, **options)).json()
    assert body["status"] == status
    return body["code"], body["message"]


async def test_a_dataset_is_made_for_the_owner_with_the_workspaces_model(house: Served, library: Library) -> None:
    made = (await library.call("POST", "/datasets", json={"name": "A", "indexing_technique": "high_quality"})).json()
    row = await Dataset.objects.aget(pk=made["id"])
    assert (row.tenant_id, row.created_by_id) == (house.cast.alice.tenant.pk, house.cast.alice.account.pk)
    assert (row.embedding_model_provider, row.embedding_model) == ("openai", "text-embedding-3-small")
    assert (made["created_by"], made["author_name"], made["embedding_available"]) == (str(row.created_by_id), "Alice", True)


async def test_a_dataset_that_an_app_asks_is_not_deleted(house: Served, library: Library) -> None:
    ids = await library.make()
    used = {"tenant": house.cast.alice.tenant, "app": house.chat.app, "dataset_id": ids["dataset_id"]}
    use = await DatasetUse.objects.acreate(**used)
    assert (await library.call("GET", DATASET, ids=ids)).json()["app_count"] == 1
    assert (await refusal(library, "DELETE", DATASET, 409, ids=ids))[0] == "dataset_in_use"
    await use.adelete()
    await library.call("DELETE", DATASET, 204, ids=ids)
    assert not await Dataset.objects.filter(pk=ids["dataset_id"]).aexists()


async def test_the_first_document_settles_how_a_dataset_is_indexed(library: Library) -> None:
    ids = {"dataset_id": (await library.call("POST", "/datasets", json={"name": "Plain"})).json()["id"]}
    path, text = f"{DATASET}/document/create-by-text", {"name": "a", "text": "b"}
    assert await refusal(library, "POST", path, 400, ids=ids, json=text) == ("invalid_param", "indexing_technique is required.")
    first = {**text, "indexing_technique": "economy", "doc_form": "qa_model"}
    await library.call("POST", path, ids=ids, json=first)
    row = await Dataset.objects.aget(pk=ids["dataset_id"])
    assert (row.indexing_technique, row.doc_form, row.embedding_model) == ("economy", "qa_model", "")
    await library.call("POST", path, 400, ids=ids, json={**text, "doc_form": "text_model"})
    bad = {**text, "process_rule": {"mode": "custom", "rules": {}}}
    assert (await refusal(library, "POST", path, 400, ids=ids, json=bad))[0] == "invalid_param"
    assert await Document.objects.filter(dataset=row).acount() == 1


async def test_a_file_becomes_a_document_with_bytes_of_its_own(house: Served, library: Library) -> None:
    ids = await library.make()
    made = (await library.call("POST", f"{DATASET}/document/create-by-file", ids=ids, data=form("Notes.MD"))).json()
    row = await Document.objects.aget(pk=made["document"]["id"])
    assert (row.name, row.extension, row.size, row.created_from) == ("Notes.MD", "md", len(TEXT), "api")
    assert await sync_to_async(get_storage().read)(row.key) == TEXT.encode()
    assert made["document"]["data_source_detail_dict"]["upload_file"]["size"] == len(TEXT)
    mine = {**ids, "document_id": str(row.pk)}
    url = (await library.call("GET", f"{DOCUMENT}/download", ids=mine)).json()["url"]
    path = url.removeprefix("http://127.0.0.1:8000")
    loaded = await house.call("GET", path, headers={"Authorization": ""})
    assert (loaded.status, loaded.body) == (200, TEXT.encode())
    assert loaded.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Notes.MD"
    assert (await house.call("GET", path.replace("sign=", "sign=0"), headers={"Authorization": ""})).status == 403
    zipped = await library.call("POST", f"{DATASET}/documents/download-zip", ids=ids, json={"document_ids": [str(row.pk)]})
    with zipfile.ZipFile(io.BytesIO(zipped.body)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"Notes.MD": TEXT.encode()}


@pytest.mark.parametrize(
    ("file", "status", "code"),
    [
        (("run.exe", b"MZ\x90", "application/x-dosexec"), 415, "unsupported_file_type"),
        (("big.md", b"x" * (1024 * 1024 + 1), "text/markdown"), 413, "file_too_large"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
async def test_files_that_are_no_documents_are_refused(
    library: Library, file: tuple[str, bytes, str], status: int, code: str
) -> None:
    ids = await library.make()
    with override_settings(UPLOAD_FILE_SIZE_LIMIT=1):
        path = f"{DATASET}/document/create-by-file"
        assert (await refusal(library, "POST", path, status, ids=ids, data=form(*file)))[0] == code
    assert not await Document.objects.filter(dataset_id=ids["dataset_id"]).aexists()


async def test_another_text_replaces_the_old_one_and_its_bytes(library: Library) -> None:
    ids = await library.add(await library.make())
    before = await Document.objects.aget(pk=ids["document_id"])
    change = {"name": "New", "text": "Only this."}
    await library.call("POST", f"{DOCUMENT}/update-by-text", ids=ids, json=change)
    await work()
    after = await Document.objects.aget(pk=ids["document_id"])
    assert (after.name, after.revision, after.indexing_status) == ("New", before.revision + 1, "completed")
    assert [row.content async for row in Segment.objects.filter(document=after)] == ["Only this."]
    storage = get_storage()
    assert (await sync_to_async(storage.exists)(before.key), await sync_to_async(storage.exists)(after.key)) == (False, True)


async def test_documents_are_put_away_and_taken_out_again(library: Library) -> None:
    ids = await library.add(await library.make())
    path, these = f"{DATASET}/documents/status/{{action}}", {"document_ids": [ids["document_id"]]}
    asked = {"query": "parcels"}

    async def seen() -> tuple[str, int]:
        await work()
        shown = (await library.call("GET", DOCUMENT, ids=ids)).json()["display_status"]
        found = (await library.call("POST", f"{DATASET}/retrieve", ids=ids, json=asked)).json()["records"]
        return shown, len(found)

    assert await seen() == ("available", 3)
    for action, shown, found in (("disable", "disabled", 0), ("enable", "available", 3), ("archive", "archived", 0)):
        await library.call("PATCH", path, ids={**ids, "action": action}, json=these)
        assert await seen() == (shown, found)
    assert (await refusal(library, "DELETE", DOCUMENT, 403, ids=ids))[0] == "archived_document_immutable"
    await library.call("PATCH", path, ids={**ids, "action": "un_archive"}, json=these)
    assert await seen() == ("available", 3)
    unknown = {"document_ids": [ids["dataset_id"]]}
    assert (await refusal(library, "PATCH", path, 404, ids={**ids, "action": "enable"}, json=unknown))[0] == "not_found"


async def test_a_segment_is_found_by_what_it_says_now(library: Library) -> None:
    ids = await library.add(await library.make(embedding_model_provider="builtin", embedding_model="hashing-384"))
    new = {"segments": [{"content": "Umbrellas hang by the door.", "keywords": ["rain"]}]}
    made = (await library.call("POST", f"{DOCUMENT}/segments", ids=ids, json=new)).json()["data"][0]
    assert (made["position"], made["status"], made["keywords"], made["enabled"]) == (4, "completed", ["rain"], True)
    mine, asked = {**ids, "segment_id": made["id"]}, {"query": "umbrellas"}

    async def best() -> str:
        found = (await library.call("POST", f"{DATASET}/retrieve", ids=ids, json=asked)).json()["records"]
        return str(found[0]["segment"]["content"]) if found else ""

    assert await best() == "Umbrellas hang by the door."
    await library.call("POST", SEGMENT, ids=mine, json={"segment": {"content": "Umbrellas are in the cellar."}})
    assert await best() == "Umbrellas are in the cellar."
    await library.call("POST", SEGMENT, ids=mine, json={"segment": {"enabled": False}})
    assert "Umbrellas" not in await best()
    await library.call("POST", SEGMENT, 400, ids=mine, json={"segment": {"content": "x"}})
    await library.call("DELETE", SEGMENT, 204, ids=mine)
    document = await Document.objects.aget(pk=ids["document_id"])
    assert (document.segment_count, document.word_count) == (3, sum(map(len, TEXT.split("\n\n"))))


async def test_values_follow_their_fields(library: Library) -> None:
    ids = await library.add(await library.make())
    base, both = f"{DATASET}/metadata", []
    for name, kind in (("author", "string"), ("year", "number")):
        both.append((await library.call("POST", base, 201, ids=ids, json={"name": name, "type": kind})).json())

    async def write(status: int, partial: bool, *values: tuple[int, Any]) -> dict[str, Any]:
        given = [{"id": both[at]["id"], "name": both[at]["name"], "value": value} for at, value in values]
        operation = {"document_id": ids["document_id"], "metadata_list": given, "partial_update": partial}
        await library.call("POST", f"{DATASET}/documents/metadata", status, ids=ids, json={"operation_data": [operation]})
        return dict((await Document.objects.aget(pk=ids["document_id"])).doc_metadata)

    assert await write(200, False, (0, "Ann"), (1, 1999)) == {"author": "Ann", "year": 1999}
    assert await write(200, True, (1, "2000")) == {"author": "Ann", "year": 2000}
    assert await write(400, True, (1, "soon")) == {"author": "Ann", "year": 2000}
    await library.call("PATCH", f"{base}/{{metadata_id}}", ids={**ids, "metadata_id": both[0]["id"]}, json={"name": "who"})
    assert (await Document.objects.aget(pk=ids["document_id"])).doc_metadata == {"who": "Ann", "year": 2000}
    assert await write(200, False, (1, 2001)) == {"year": 2001}
    listed = (await library.call("GET", base, ids=ids)).json()["doc_metadata"]
    assert {row["name"]: row["count"] for row in listed} == {"who": 0, "year": 1}
    await library.call("DELETE", f"{base}/{{metadata_id}}", 204, ids={**ids, "metadata_id": both[1]["id"]})
    assert (await Document.objects.aget(pk=ids["document_id"])).doc_metadata == {}
    await library.call("POST", base, 400, ids=ids, json={"name": "document_name", "type": "string"})
    assert await MetadataField.objects.filter(dataset_id=ids["dataset_id"]).acount() == 1


async def test_a_plan_allows_so_many_requests_a_minute(house: Served, library: Library) -> None:
    ids = await library.make()
    with override_settings(KNOWLEDGE_RATES={house.cast.alice.tenant.plan: "1/m"}, RATELIMIT_ENABLE=True):
        await library.call("PATCH", DATASET, ids=ids, json={"description": "x"})
        code, message = await refusal(library, "PATCH", DATASET, 403, ids=ids, json={"description": "y"})
        await library.call("GET", DATASET, ids=ids)
    assert (code, message.startswith("Sorry, you have reached the knowledge base request rate limit")) == ("forbidden", True)
    assert (await Dataset.objects.aget(pk=ids["dataset_id"])).description == "x"
