"""The body of a request as bytes, and its content type."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from difyproj.kernel.errors import InvalidParam
from workflows.engine import json_text, template
from workflows.engine.node import NodeContext
from workflows.engine.pool import MISSING
from workflows.engine.ports import FILE_LIMIT
from workflows.engine.template import Template
from workflows.engine.values import files_of, to_text

from .data import Body, BodyRow, HttpRequestData

_ESCAPES: Final = str.maketrans({"\r": "%0D", "\n": "%0A", '"': "%22"})


@dataclass(frozen=True, slots=True)
class Encoded:
    """``shown`` is what a trace may hold of it: text, or how many bytes there are."""

    data: bytes | None = None
    content_type: str = ""
    shown: str = ""


async def encode(body: Body, ctx: NodeContext[HttpRequestData]) -> Encoded:
    """Raises InvalidParam for a body that cannot be made."""
    match body.type:
        case "form-data":
            return await _multipart(body.rows, ctx)
        case "x-www-form-urlencoded":
            fields = [(_filled(row.key or "", ctx), _filled(row.text, ctx)) for row in body.rows]
            return _text(urlencode(fields, errors="replace"), "application/x-www-form-urlencoded")
        case "raw-text":
            return _text(_filled(_only(body).text, ctx), "text/plain; charset=utf-8")
        case "json":
            return _text(_json(_only(body).text, ctx), "application/json")
        case "binary":
            return await _binary(_only(body), ctx)
    return Encoded()


def _only(body: Body) -> BodyRow:
    if len(body.rows) != 1:
        raise InvalidParam(f"A body of the type {body.type} has exactly one row, not {len(body.rows)}.", params="body.data")
    return body.rows[0]


def _filled(text: str, ctx: NodeContext[Any]) -> str:
    return template.parse(text).render(ctx.pool)


def _text(text: str, content_type: str) -> Encoded:
    return Encoded(text.encode("utf-8", "replace"), content_type, text)


def _json(text: str, ctx: NodeContext[Any]) -> str:
    """The template filled; where that is no JSON, with values escaped as in strings; else what can be made of it."""
    parsed = template.parse(text)
    plain = parsed.render(ctx.pool)
    # A line end in a string is what authors write who put a text between quotes.
    for candidate in (plain, _escaped(parsed, ctx)):
        with suppress(ValueError, RecursionError):
            return _compact(json.loads(candidate, strict=False))
    found = json_text.repaired(plain)
    with suppress(ValueError, RecursionError):
        if found not in (None, ""):
            return _compact(found)
    raise InvalidParam("The body is no JSON once its variables are filled in.", params="body.data.0.value")


def _escaped(parsed: Template, ctx: NodeContext[Any]) -> str:
    return parsed.render(ctx.pool, lambda value: json.dumps(to_text(value), ensure_ascii=False)[1:-1])


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


async def _binary(row: BodyRow, ctx: NodeContext[Any]) -> Encoded:
    files = files_of(ctx.pool.get(row.file or ()))
    if len(files) != 1:
        raise InvalidParam(f"The body is to be the file {'.'.join(row.file or ())}, which is none.", params="body.data.0.file")
    data = await ctx.ports.storage.read(files[0], limit=FILE_LIMIT)
    return Encoded(data, str(files[0].get("mime_type") or "application/octet-stream"), f"<{len(data)} bytes>")


async def _multipart(rows: Sequence[BodyRow], ctx: NodeContext[Any]) -> Encoded:
    boundary = secrets.token_hex(16)
    pieces: list[bytes] = []
    shown: list[str] = []
    for index, row in enumerate(rows):
        name = _filled(row.key or "", ctx)
        if row.type != "file":
            value = _filled(row.text, ctx)
            head = _part_head(boundary, name)
            pieces += [head.encode("utf-8", "replace"), value.encode("utf-8", "replace"), b"\r\n"]
            shown += [head, value, "\r\n"]
            continue
        for file in _files(row, ctx, index):
            data = await ctx.ports.storage.read(file, limit=FILE_LIMIT - sum(map(len, pieces)))
            head = _part_head(boundary, name, str(file.get("filename") or "file"), str(file.get("mime_type") or ""))
            pieces += [head.encode("utf-8", "replace"), data, b"\r\n"]
            shown += [head, f"<{len(data)} bytes>", "\r\n"]
    end = f"--{boundary}--\r\n"
    return Encoded(b"".join((*pieces, end.encode())), f"multipart/form-data; boundary={boundary}", "".join((*shown, end)))


def _files(row: BodyRow, ctx: NodeContext[Any], index: int) -> Sequence[Any]:
    """The files that a row selects; nothing where the variable is null or not there."""
    value = ctx.pool.get(row.file or (), MISSING)
    found = files_of(value)
    if not found and value is not MISSING and value:
        raise InvalidParam(f"{'.'.join(row.file or ())} is no file.", params=f"body.data.{index}.file")
    return found


def _part_head(boundary: str, name: str, filename: str = "", mime_type: str = "") -> str:
    """Quotes and line ends in names are escaped as browsers do."""
    disposition = f'form-data; name="{name.translate(_ESCAPES)}"'
    if not filename:
        return f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n"
    kind = (mime_type or "application/octet-stream").translate(_ESCAPES)
    place = f'{disposition}; filename="{filename.translate(_ESCAPES)}"'
    return f"--{boundary}\r\nContent-Disposition: {place}\r\nContent-Type: {kind}\r\n\r\n"
