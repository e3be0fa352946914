"""The files of a graph's run: those of its request, those that its nodes make, and no others of the tenant."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Mapping
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile

from apps.models import UploadFile
from apps.services import files
from apps.services.file_types import kind_of
from difyproj.infra import db
from difyproj.infra.egress import egress
from difyproj.infra.storage import get_storage
from difyproj.kernel.errors import FileNotFound, InvalidParam
from difyproj.kernel.http import Timeout
from difyproj.kernel.principal import Principal
from difyproj.model_runtime.messages import Part

from . import given_files
from .given_files import GivenFile
from .ports import RequestFile, RequestFiles
from .request import FileInput

FETCH: Final = Timeout(connect=5, read=20, total=120)
REDIRECTS: Final = 3
_NOT_IN_NAMES: Final = re.compile(r'[/\\\0"<>|*?:]')


class RunFiles(RequestFiles):
    """The file and the storage port in one. A file is read only where it is the asker's own: variables may name any."""

    def __init__(self, owner: Principal, known: Mapping[str, RequestFile]) -> None:
        self._known = dict(known)
        super().__init__(self._known)
        self._owner = owner

    async def part(self, file_id: str, *, detail: str = "auto") -> Part | None:
        if file_id not in self._known and (row := await self._row(file_id)) is not None:
            self.remember(row)
        return await super().part(file_id, detail=detail)

    async def read(self, file: Mapping[str, Any], *, limit: int) -> bytes:
        """The bytes of a file mapping, from the storage or its URL. Raises InvalidParam when it is gone or over ``limit``."""
        url = str(file.get("remote_url") or "")
        if file.get("transfer_method") == "remote_url" and url:
            async with egress().open("GET", url, timeout=FETCH, max_redirects=REDIRECTS) as answer:
                if answer.status != 200:
                    raise InvalidParam(f"The remote server answered with {answer.status} instead of a file.")
                return await answer.read(limit)
        row = await self._row(str(file.get("related_id") or file.get("id") or ""))
        if row is None:
            raise InvalidParam("The file does not exist.")
        if row.size > limit:
            raise InvalidParam(f"The file {row.name} is larger than {limit} bytes.")
        try:
            return await asyncio.to_thread(get_storage().read, row.key)
        except (OSError, FileNotFound) as error:
            raise InvalidParam(f"The file {row.name} is gone.") from error

    async def keep(self, data: bytes, *, name: str, mime_type: str) -> Mapping[str, Any]:
        """Keeps what a node made as an upload of the asker, by the limits of uploads; gives its mapping."""
        taken = io.BytesIO(data)
        cleaned = _NOT_IN_NAMES.sub("_", name).strip() or "file"
        file = UploadedFile(taken, name=cleaned, content_type=mime_type or "application/octet-stream", size=len(data))
        row = await files.keep(files.plan(owner=self._owner, file=file), file)
        self.remember(row)
        return given_files.mapping(GivenFile(str(row.pk), FileInput(kind_of(row.extension), "tool_file"), row))

    async def _row(self, file_id: str) -> UploadFile | None:
        return (await db.run(files.own, self._owner, [file_id])).get(file_id)

    def remember(self, row: UploadFile) -> None:
        """The run may read it, whoever uploaded it."""
        kind = kind_of(row.extension)
        self._known[str(row.pk)] = RequestFile(type=kind, mime_type=row.mime_type, name=row.name, key=row.key)
