"""Files of a graph's run: what its nodes make is kept in the asker's name, and nobody else's is read."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.generation.given_files import GivenFile, mapping
from apps.generation.request import FileInput
from apps.generation.run_files import RunFiles
from apps.models import UploadFile
from apps.services import files
from difyproj.infra.storage import get_storage
from difyproj.kernel.errors import FileTooLarge, InvalidParam
from difyproj.kernel.http import EgressRefused
from difyproj.kernel.principal import Principal
from difyproj.model_runtime.messages import ImagePart
from difyproj.testing.cast import Cast

from .flows import ECHO, end_user, make_flow
from .test_file_upload import PNG


@pytest.fixture
def owner(cast: Cast) -> Principal:
    return end_user(make_flow(cast.alice, ECHO))


@pytest.fixture
def stranger(owner: Principal, cast: Cast) -> Principal:
    return end_user(make_flow(cast.alice, ECHO), "u2")


async def test_what_a_node_makes_is_an_upload_of_who_asked(owner: Principal) -> None:
    port = RunFiles(owner, {})
    made = await port.keep(PNG, name="a/b:c.png", mime_type="image/png")
    row = await UploadFile.objects.aget(pk=made["related_id"])
    assert (row.name, row.end_user_id, row.app_id) == ("a_b_c.png", owner.actor_id, owner.app_id)
    assert (made["transfer_method"], made["type"], made["extension"], made["size"]) == ("tool_file", "image", ".png", len(PNG))
    assert await port.read(made, limit=1_000_000) == PNG
    part = await port.part(str(row.pk), detail="low")
    assert isinstance(part, ImagePart) and part.data == PNG
    # Another process knows the file by its row alone.
    assert isinstance(await RunFiles(owner, {}).part(str(row.pk)), ImagePart)


async def test_nobody_reads_the_file_of_another(owner: Principal, stranger: Principal) -> None:
    made = await RunFiles(owner, {}).keep(PNG, name="c.png", mime_type="image/png")
    port = RunFiles(stranger, {})
    with pytest.raises(InvalidParam, match="does not exist"):
        await port.read(made, limit=1_000_000)
    assert await port.part(made["related_id"]) is None


@pytest.mark.parametrize("related_id", ["", "nonsense", None, "../../etc/passwd"])
async def test_a_file_that_is_none_is_refused(owner: Principal, related_id: Any) -> None:
    with pytest.raises(InvalidParam, match="does not exist"):
        await RunFiles(owner, {}).read({"transfer_method": "local_file", "related_id": related_id}, limit=10)


async def test_a_file_is_read_up_to_a_limit_and_told_when_its_bytes_are_gone(owner: Principal) -> None:
    upload = SimpleUploadedFile("c.png", PNG, "image/png")
    row = await files.keep(await sync_to_async(files.plan)(owner=owner, file=upload), upload)
    file = mapping(GivenFile(str(row.pk), FileInput("image", "local_file"), row))
    port = RunFiles(owner, {})
    with pytest.raises(InvalidParam, match="larger than 3 bytes"):
        await port.read(file, limit=3)
    get_storage().delete(row.key)
    with pytest.raises(InvalidParam, match="is gone"):
        await port.read(file, limit=1_000_000)


async def test_a_remote_file_is_fetched_through_the_guarded_egress_only(owner: Principal) -> None:
    inside = {"transfer_method": "remote_url", "remote_url": "http://169.254.169.254/latest/meta-data"}
    with pytest.raises(EgressRefused):
        await RunFiles(owner, {}).read(inside, limit=10)


async def test_what_is_too_large_for_an_upload_is_not_kept(owner: Principal, settings: Any) -> None:
    settings.UPLOAD_IMAGE_FILE_SIZE_LIMIT = 0
    with pytest.raises(FileTooLarge):
        await RunFiles(owner, {}).keep(PNG, name="c.png", mime_type="image/png")
    assert not await UploadFile.objects.aexists()
