"""Previews: a job draws them after the upload, in a process that hostile files may break."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test.utils import override_settings
from PIL import Image

from apps.models import DoomedBytes, PreviewState, UploadFile
from apps.services import files, previews, stored_bytes
from difyproj.infra import jobs, thumbnails
from difyproj.infra.models import Job
from difyproj.infra.storage import get_storage
from difyproj.testing.served import Answer, Served

from .contract import assert_error
from .test_file_upload import upload


def picture(kind: str = "PNG", size: tuple[int, int] = (1200, 600), mode: str = "RGB", **options: Any) -> bytes:
    made = io.BytesIO()
    Image.new(mode, size, 120).save(made, kind, **options)
    return made.getvalue()


def pdf(words: str = "Hello preview", box: str = "0 0 200 100") -> bytes:
    """One page with these words, written by hand."""
    stream = f"BT /F1 18 Tf 10 50 Td ({words}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, item) for number, item in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer << /Root 1 0 R >>\n%%EOF"


def bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A small PNG that says it is huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")


async def run_jobs() -> int:
    return await sync_to_async(jobs.run_waiting)(previews.KIND, due_only=False)


async def shown(house: Served, address: str) -> Answer:
    parts = urlsplit(address)
    async with house.client.get(f"{house.url}{parts.path}?{parts.query}") as response:
        return Answer(response.status, response.headers, await response.read())


async def preview_of(house: Served, content: bytes, name: str, mime: str) -> tuple[UploadFile, Answer]:
    """Upload, run the job, and ask for the picture."""
    address = (await upload(house, content, name=name, mime=mime)).json()["preview_url"]
    assert await run_jobs() == 1
    return await UploadFile.objects.aget(), await shown(house, address)


async def test_an_image_stands_for_itself_until_its_picture_is_made(house: Served) -> None:
    content = picture()
    body = (await upload(house, content)).json()
    row = await UploadFile.objects.aget()
    job = await Job.objects.aget()
    assert (row.preview_state, job.kind, job.target_id, job.tenant_id) == ("waiting", "apps.preview", body["id"], row.tenant_id)
    before = await shown(house, body["preview_url"])
    assert (before.status, before.body, before.headers["Cache-Control"]) == (200, content, "public, max-age=0")
    assert await run_jobs() == 1
    after = await shown(house, body["preview_url"])
    assert (after.status, after.headers["Content-Type"]) == (200, "image/webp")
    assert Image.open(io.BytesIO(after.body)).size == (512, 256)
    assert after.headers["Content-Security-Policy"].endswith("sandbox")
    await job.arefresh_from_db()
    assert (job.state, job.result) == ("succeeded", {"state": "ready"})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jpg", picture("JPEG")),
        ("a.gif", picture("GIF", mode="P", save_all=True, append_images=[Image.new("P", (1200, 600))])),
        ("a.webp", picture("WEBP", mode="RGBA")),
        ("a.png", picture(mode="LA")),
        ("a.png", picture(mode="I;16")),
        ("a.png", picture(size=(3, 2))),
        ("a.jpg", picture("JPEG", mode="CMYK")),
    ],
)
async def test_every_kind_of_image_gets_a_picture(house: Served, name: str, content: bytes) -> None:
    row, answer = await preview_of(house, content, name, "image/png")
    assert (row.preview_state, answer.headers["Content-Type"]) == ("ready", "image/webp")
    assert max(Image.open(io.BytesIO(answer.body)).size) <= 512


async def test_another_storage_does_too(house: Served, tmp_path: Path) -> None:
    own = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    content = picture()
    with override_settings(STORAGES={**settings.STORAGES, "uploads": own}):
        row, answer = await preview_of(house, content, "a.png", "image/png")
        assert (row.preview_state, answer.headers["Content-Type"]) == ("ready", "image/webp")
        assert (tmp_path / row.key).read_bytes() == content
        parts = urlsplit(files.signed_url(row))
        async with house.client.get(f"{house.url}{parts.path}?{parts.query}", headers={"Range": "bytes=4-9"}) as part:
            assert (part.status, await part.read()) == (206, content[4:10])
        await sync_to_async(row.delete)()
        assert await sync_to_async(stored_bytes.remove_due)() == 2
        assert not get_storage().exists(row.key) and not get_storage().exists(row.picture_key)


async def test_a_pdf_gets_its_first_page_and_its_first_words(house: Served) -> None:
    body = (await upload(house, pdf(), name="a.pdf", mime="application/pdf")).json()
    assert_error(await shown(house, body["preview_url"]), 404, "file_not_found")
    assert await run_jobs() == 1
    answer = await shown(house, body["preview_url"])
    assert Image.open(io.BytesIO(answer.body)).size == (512, 256)
    row = await UploadFile.objects.aget()
    assert row.preview_text.strip() == "Hello preview"


async def test_a_text_begins_as_it_begins_and_has_no_picture(house: Served) -> None:
    words = "\ufeffGrüße\0 " + "x" * 20_000
    body = (await upload(house, words.encode(), name="a.md", mime="text/markdown")).json()
    assert body["preview_url"] is None
    assert await run_jobs() == 1
    row = await UploadFile.objects.aget()
    assert (row.preview_state, row.preview_text[:8], len(row.preview_text)) == ("ready", "Grüße xx", 3000)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", bomb()),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(24)),
        ("a.gif", b"GIF89a" + b"\xff" * 400),
        ("a.jpg", picture("JPEG")[:60]),
        ("a.pdf", b"%PDF-1.4\nnonsense"),
        ("a.pdf", pdf(box="0 0 0 0")[:-30]),
    ],
)
async def test_what_cannot_be_drawn_has_failed_and_stays_an_upload(house: Served, name: str, content: bytes) -> None:
    body = (await upload(house, content, name=name, mime="image/png")).json()
    assert await run_jobs() == 1
    row = await UploadFile.objects.aget()
    assert row.preview_state in (PreviewState.FAILED, PreviewState.READY)
    assert (await shown(house, body["source_url"])).body == content
    assert not await DoomedBytes.objects.aexists()


async def test_a_bomb_is_refused_by_its_size(house: Served) -> None:
    await upload(house, bomb())
    await run_jobs()
    assert (await UploadFile.objects.aget()).preview_state == PreviewState.FAILED


async def test_sound_has_no_preview_and_no_job(house: Served) -> None:
    body = (await upload(house, b"ID3\x03" + bytes(99), name="a.mp3", mime="audio/mpeg")).json()
    assert body["preview_url"] is None
    assert not await Job.objects.aexists()


async def test_svg_is_never_drawn_as_an_image(house: Served) -> None:
    body = (await upload(house, b"<svg onload='alert(1)'/>", name="a.svg", mime="image/svg+xml")).json()
    assert body["preview_url"] is None


async def test_a_job_that_runs_twice_draws_once(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (await upload(house, picture())).json()
    await run_jobs()
    monkeypatch.setattr(thumbnails, "draw", None)
    assert await sync_to_async(previews.make)(body["id"]) == "ready"


async def test_a_file_that_was_deleted_meanwhile_leaves_nothing(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    await upload(house, picture())
    draw, row = thumbnails.draw, await UploadFile.objects.aget()

    def delete_first(*args: Any) -> thumbnails.Thumbnail:
        drawn = draw(*args)
        UploadFile.objects.get().delete()
        return drawn

    monkeypatch.setattr(thumbnails, "draw", delete_first)
    await run_jobs()
    assert get_storage().exists(row.picture_key)
    await DoomedBytes.objects.aupdate(due_at=row.created_at)
    assert await sync_to_async(stored_bytes.remove_due)() == 2
    assert not get_storage().exists(row.picture_key)
    assert not get_storage().exists(row.key)
    assert await sync_to_async(previews.make)(row.pk) == ""


async def test_a_storage_that_is_away_is_tried_again_and_then_given_up(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    await upload(house, picture())

    def fail(*args: Any) -> None:
        raise OSError("The storage is away.")

    monkeypatch.setattr(thumbnails, "draw", fail)
    assert await run_jobs() == 3
    assert (await UploadFile.objects.aget()).preview_state == PreviewState.FAILED


def test_the_process_that_draws_sees_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    run = thumbnails.subprocess.run

    def note(*args: Any, **options: Any) -> Any:
        seen.update(options)
        return run(*args, **options)

    monkeypatch.setattr(thumbnails.subprocess, "run", note)
    assert thumbnails.draw(io.BytesIO(picture()), "image").picture
    assert seen["env"] == {}


def test_a_process_that_is_cut_off_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "SECONDS", 0.001)
    with pytest.raises(thumbnails.NoThumbnail):
        thumbnails.draw(io.BytesIO(picture()), "image")
