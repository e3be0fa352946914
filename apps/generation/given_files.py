"""The files that a request brings: allowed by the app, found, and as a graph's variables hold them."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from apps.config import AppConfig
from apps.models import UploadFile
from apps.services import file_types, files
from difyproj.kernel import ids
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.principal import Principal
from workflows.engine.values import FILE_MARK, files_of

from .ports import RequestFile
from .request import FileInput

FILE_CONTROLS = ("file", "file-list")


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file of the request, checked; ``row`` is the upload it names, if it is one."""

    id: str
    given: FileInput
    row: UploadFile | None


def checked(principal: Principal, config: AppConfig, given: Sequence[FileInput]) -> list[GivenFile]:
    """The request's files as far as the app takes files. Raises InvalidParam for one that it does not allow."""
    rules = config.file_upload
    if not given or not rules.takes_files:
        return []
    if len(given) > rules.most:
        raise InvalidParam(f"At most {rules.most} files are allowed.", params="files")
    for file in given:
        _check(config, file)
    return found(principal, given, field="files")


def found(principal: Principal, given: Sequence[FileInput], *, field: str) -> list[GivenFile]:
    """Raises InvalidParam for an upload that is not the principal's."""
    rows = files.own(principal, [file.upload_file_id for file in given if file.transfer_method == "local_file"])
    made = []
    for file in given:
        row = rows.get(str(ids.parse(file.upload_file_id)))
        if file.transfer_method == "local_file" and row is None:
            raise InvalidParam("Invalid upload file.", params=field)
        made.append(GivenFile(str(row.pk if row else ids.new_id()), file, row))
    return made


def of_inputs(principal: Principal, config: AppConfig, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[GivenFile]]:
    """The inputs with their files as variables hold them, and those files."""
    made, brought = dict(inputs), []
    for field in config.user_input_form:
        value = inputs.get(field.variable)
        if field.control not in FILE_CONTROLS or not value:
            continue
        made[field.variable], known = _held(principal, value, field=field.variable)
        brought.extend(known)
    return made, brought


def of_form(principal: Principal, fields: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    """What a person filled in, files as variables hold them. Raises InvalidParam for a file that is not the principal's."""
    made = dict(values)
    for field in fields:
        name = str(field.get("output_variable_name"))
        if field.get("type") in FILE_CONTROLS and made.get(name):
            made[name], _ = _held(principal, made[name], field=f"inputs.{name}")
    return made


def _held(principal: Principal, value: Any, *, field: str) -> tuple[Any, list[GivenFile]]:
    """One file, or a list of them: as variables hold it, and the files. Of what the caller wrote only the reference counts."""
    known = found(principal, [_given(item) for item in (value if isinstance(value, list) else [value])], field=field)
    mapped = [mapping(file) for file in known]
    return (mapped if isinstance(value, list) else mapped[0]), known


def kept(principal: Principal, value: Any, *, field: str) -> Any:
    """A file, or a list of them, as variables hold it. Raises InvalidParam for one that is not the principal's."""
    return _held(principal, value, field=field)[0]


def mapping(file: GivenFile) -> dict[str, Any]:
    """The file as it travels through a pool of variables."""
    row, given = file.row, file.given
    if row is not None:
        return {
            **_described(file, row.name, f".{row.extension}" if row.extension else "", row.mime_type, row.size),
            "remote_url": None, "related_id": str(row.pk), "url": files.signed_url(row),
        }  # fmt: skip
    name = PurePosixPath(unquote(urlsplit(given.url).path)).name
    extension = PurePosixPath(name).suffix.lower()
    mime_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return {
        **_described(file, name, extension, mime_type, -1),
        "remote_url": given.url,
        "related_id": file.id,
        "url": given.url,
    }


def value_of(row: UploadFile) -> dict[str, Any]:
    """An upload as a graph's variables hold it."""
    kind = file_types.kind_of(row.extension)
    return mapping(GivenFile(str(row.pk), FileInput(kind, "local_file", upload_file_id=str(row.pk)), row))


def contents(given: Sequence[GivenFile]) -> dict[str, RequestFile]:
    """What the file port needs of them, by their ids."""
    return {
        file.id: RequestFile(
            type=file.given.type,
            mime_type=file.row.mime_type if file.row else "",
            name=file.row.name if file.row else "",
            key=file.row.key if file.row else "",
            url="" if file.row else file.given.url,
        )
        for file in given
    }


def recalled(principal: Principal, inputs: Mapping[str, Any]) -> dict[str, RequestFile]:
    """What the file port needs of the files among a run's kept inputs."""
    kept = [file for value in inputs.values() for file in files_of(value)]
    rows = files.own(principal, [str(file.get("related_id")) for file in kept if not file.get("remote_url")])
    made = {}
    for file in kept:
        key = str(file.get("related_id"))
        row = rows.get(key)
        made[key] = RequestFile(
            type=str(file.get("type")),
            mime_type=str(file.get("mime_type") or ""),
            name=str(file.get("filename") or ""),
            key=row.key if row else "",
            url=str(file.get("remote_url") or ""),
        )
    return {key: file for key, file in made.items() if file.key or file.url}


def _described(file: GivenFile, name: str, extension: str, mime_type: str, size: int) -> dict[str, Any]:
    return {
        "dify_model_identity": FILE_MARK,
        "id": file.id,
        "type": file.given.type,
        "transfer_method": file.given.transfer_method,
        "reference": None,
        "filename": name,
        "extension": extension,
        "mime_type": mime_type,
        "size": size,
    }


def _given(item: Mapping[str, Any]) -> FileInput:
    method = str(item.get("transfer_method"))
    upload = next((item[name] for name in ("upload_file_id", "related_id", "id") if item.get(name)), "")
    # What a tool made lies here like an upload does.
    method = "local_file" if method == "tool_file" else method
    url = str(item.get("url") or item.get("remote_url") or "")
    if method == "remote_url" and not url.startswith(("http://", "https://")):
        raise InvalidParam("A remote file needs an http or https url.", params="inputs")
    return FileInput(str(item.get("type")), method, url, str(upload) if method == "local_file" else "")


def _check(config: AppConfig, file: FileInput) -> None:
    rules = config.file_upload
    types = rules.allowed_file_types if rules.enabled and rules.allowed_file_types else ("image",)
    methods = rules.allowed_file_upload_methods if rules.enabled else rules.image.transfer_methods
    if file.type not in types:
        raise InvalidParam(f"Files of the type {file.type} are not allowed.", params="files")
    if methods and file.transfer_method not in methods:
        raise InvalidParam(f"The transfer method {file.transfer_method} is not allowed.", params="files")
    if file.transfer_method == "remote_url" and not file.url.startswith(("http://", "https://")):
        raise InvalidParam("A remote file needs an http or https url.", params="files")
    if file.transfer_method == "tool_file":
        raise InvalidParam("The transfer method tool_file is not allowed.", params="files")
