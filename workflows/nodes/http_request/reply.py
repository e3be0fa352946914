"""What came back: a text or a file, and its outputs."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from email.message import Message
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from difyproj.kernel import ids
from difyproj.kernel.decoding import decoded
from difyproj.kernel.errors import InvalidParam
from workflows.engine.ports import HttpAnswer, HttpCall, StoragePort

TEXT_LIMIT: Final = 1024 * 1024
_TEXTUAL: Final = ("json", "xml", "javascript", "ecmascript", "form-urlencoded", "yaml", "graphql")
_MEDIA: Final = ("image/", "audio/", "video/", "font/")
_SAMPLE: Final = 1024
_BEGINNINGS: Final = ("{", "[", "<")
_WORDS: Final = ("function", "var ", "const ", "let ")


async def outputs(answer: HttpAnswer, call: HttpCall, storage: StoragePort) -> dict[str, Any]:
    """Raises InvalidParam for a text over the limit."""
    headers = _headers(answer)
    made: dict[str, Any] = {"status_code": answer.status, "body": "", "headers": headers, "files": []}
    if answer.body and is_file(headers, answer.body):
        name, kind = _name(headers, call.url)
        made["files"] = [dict(await storage.keep(answer.body, name=name, mime_type=kind))]
        return made
    if len(answer.body) > TEXT_LIMIT:
        raise InvalidParam(f"The answer is a text of more than {TEXT_LIMIT} bytes.")
    made["body"] = decoded(answer.body, _parsed("content-type", headers).get_content_charset())
    return made


def is_file(headers: Mapping[str, str], body: bytes) -> bool:
    """By what the server says of it; of an unclear application type, by how it begins."""
    disposition = _parsed("content-disposition", headers)
    if disposition.get_content_disposition() == "attachment" or disposition.get_filename():
        return True
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind or kind.startswith("text/") or any(word in kind for word in _TEXTUAL):
        return False
    return kind.startswith(_MEDIA) or (kind.startswith("application/") and not _looks_like_text(body))


def _looks_like_text(body: bytes) -> bool:
    try:
        # A character may be cut in two at the end of the sample.
        text = body[:_SAMPLE].decode("utf-8", "strict" if len(body) <= _SAMPLE else "ignore").strip()
    except UnicodeDecodeError:
        return False
    return text.startswith(_BEGINNINGS) or any(word in text for word in _WORDS)


def _headers(answer: HttpAnswer) -> dict[str, str]:
    """Names in small letters; a repeated one has its values joined."""
    found: dict[str, str] = {}
    for name, raw in answer.headers:
        key, value = name.lower(), raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def _parsed(name: str, headers: Mapping[str, str]) -> Message:
    """A header with parameters, as the library for mail reads them."""
    message = Message()
    if name in headers:
        message[name] = re.sub(r"[\r\n\0]", " ", headers[name])
    return message


def _name(headers: Mapping[str, str], url: str) -> tuple[str, str]:
    """Name and type of a file, one from the other where the server says only one."""
    stated = _parsed("content-disposition", headers).get_filename()
    name = PurePosixPath((stated or unquote(urlsplit(url).path)).replace("\\", "/")).name
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if not PurePosixPath(name).suffix:
        name = f"{name or ids.new_id().hex}{mimetypes.guess_extension(kind) or '.bin'}"
    return name[-200:], kind
