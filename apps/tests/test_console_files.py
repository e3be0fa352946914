"""Files on the Console API: limits, uploads of members, how documents begin, files that lie elsewhere."""

from __future__ import annotations

import aiohttp
import pytest

from apps.models import UploadFile
from difyproj.kernel.tests.wire import reply, serve
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Answer, Served

from .test_remote_files import script


@pytest.fixture
async def norma(house: Served) -> TierClient:
    return await signed_in(house, house.cast.norma)


async def upload(client: TierClient, content: bytes = b"Once upon a time", mime: str = "text/plain", **fields: str) -> Answer:
    form = aiohttp.FormData(fields)
    form.add_field("file", content, filename="story.txt" if mime == "text/plain" else "a.png", content_type=mime)
    return await client.post("/files/upload", data=form)


async def test_a_member_uploads_a_file_of_their_own(house: Served, norma: TierClient) -> None:
    answer = await upload(norma)
    assert answer.status == 201, answer.body
    row = await UploadFile.objects.aget(pk=answer.json()["id"])
    person = house.cast.norma
    assert (row.account_id, row.tenant_id, row.app_id) == (person.account.pk, person.tenant.pk, None)
    assert answer.json()["created_by"] == str(person.account.pk)
    missing = await norma.post("/files/upload", {})
    assert (missing.status, missing.json()["code"]) == (400, "no_file_uploaded")


async def test_documents_for_knowledge_are_uploaded_by_who_may_edit_it(house: Served, norma: TierClient) -> None:
    assert (await upload(norma, source="datasets")).status == 403
    assert not await UploadFile.objects.aexists()
    assert (await upload(await signed_in(house, house.cast.bob), source="datasets")).status == 201


async def test_limits_and_types_are_told(norma: TierClient) -> None:
    limits = (await norma.get("/files/upload")).json()
    assert (limits["file_size_limit"], limits["image_file_size_limit"], limits["batch_count_limit"]) == (15, 10, 5)
    assert set(limits) >= {"video_file_size_limit", "audio_file_size_limit", "workflow_file_upload_limit"}
    assert "pdf" in (await norma.get("/files/support-type")).json()["allowed_extensions"]


async def test_a_preview_shows_how_a_document_begins(house: Served, norma: TierClient) -> None:
    file_id = (await upload(norma)).json()["id"]
    assert (await norma.get(f"/files/{file_id}/preview")).json() == {"content": "Once upon a time"}
    assert (await (await signed_in(house, house.cast.bob)).get(f"/files/{file_id}/preview")).status == 200
    picture = (await upload(norma, b"\x89PNG\r\n\x1a\n" + bytes(20), "image/png")).json()["id"]
    refused = await norma.get(f"/files/{picture}/preview")
    assert (refused.status, refused.json()["code"]) == (415, "unsupported_file_type")


async def test_a_file_is_not_shown_to_strangers_nor_to_colleagues_without_need(house: Served, norma: TierClient) -> None:
    mine = (await upload(await signed_in(house, house.cast.alice))).json()["id"]
    eve = await signed_in(house, house.cast.eve)
    for client in (eve, norma):
        answer = await client.get(f"/files/{mine}/preview")
        assert (answer.status, answer.json()["code"]) == (404, "file_not_found")
    assert (await norma.get("/files/not-an-id/preview")).status == 404
    for method, path in (("GET", "/files/upload"), ("POST", "/files/upload"), ("GET", f"/files/{mine}/preview")):
        assert (await house.call(method, f"/console/api{path}", headers={"Authorization": ""})).status == 401


async def test_a_file_that_lies_elsewhere_is_looked_at_and_taken(house: Served, norma: TierClient) -> None:
    async with serve(script(lambda _: reply(b"hello", Content_Type="text/plain"))) as wire:
        info = await norma.get(f"/remote-files/{wire.url('/a.txt')}")
        assert info.json() == {"file_type": "text/plain", "file_length": 5}
        taken = await norma.post("/remote-files/upload", {"url": wire.url("/a.txt")})
    assert taken.status == 201, taken.body
    row = await UploadFile.objects.aget(pk=taken.json()["id"])
    assert (row.account_id, row.size, row.name) == (house.cast.norma.account.pk, 5, "a.txt")


async def test_an_address_inside_the_network_is_refused(norma: TierClient) -> None:
    for answer in (
        await norma.get("/remote-files/http://10.0.0.1/x"),
        await norma.post("/remote-files/upload", {"url": "http://169.254.169.254/latest"}),
        await norma.post("/remote-files/upload", {}),
    ):
        assert (answer.status, answer.json()["code"]) == (400, "invalid_param")
    assert not await UploadFile.objects.aexists()
