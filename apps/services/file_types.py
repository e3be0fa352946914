"""What a file is: its bytes decide where name and declared type disagree with them in a way that could matter.

Rules, from the first bytes (``HEAD_BYTES``):

- Raster images and PDF are what their magic number says, whatever was declared. A model refuses a JPEG that is called a PNG.
- Audio and video containers are ambiguous: any declared ``audio/*`` or ``video/*`` stands, anything else gives way.
- What was declared as image, audio, video or PDF and is markup, text, an archive or a program is what it is.
- What was declared as text and is a known binary format is that format.
- Everything else is believed: nothing but media and plain text is ever shown inline (``tiers.files.INERT``), so a ``.txt``
  may have any type. Unknown bytes are believed too, as the browser is told not to guess (``nosniff``).
- The extension follows: it is the name's, unless the name speaks of media that the bytes are not, or hides media. So a
  document cannot use the larger limit of videos, nor a blocked extension hide behind another. The name itself stays.
"""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass
from typing import Final

import filetype

HEAD_BYTES: Final = 8192
UNKNOWN_TYPE: Final = "application/octet-stream"
MIME_TYPE: Final = re.compile(r"[\w.+-]{1,127}/[\w.+-]{1,127}", re.ASCII)

EXTENSIONS: Final = {
    "image": frozenset({"jpg", "jpeg", "png", "webp", "gif", "svg"}),
    "video": frozenset({"mp4", "mov", "mpeg", "webm", "avi"}),
    "audio": frozenset({"mp3", "m4a", "wav", "amr", "mpga"}),
}
PDF, SVG, TEXT = "application/pdf", "image/svg+xml", "text/plain"
_MEDIA = {"image": "image", "audio": "sound or film", "video": "sound or film"}
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
# The bytes and the tags that browsers go by (WHATWG, MIME Sniffing, sections 3 and 7.1).
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_HTML: Final = re.compile(
    r"<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|img|form|object|embed|meta)[\s>/]",
    re.IGNORECASE,
)
_XML_ROOT: Final = re.compile(r"<(?:\w{1,64}:)?(svg|html)[\s>/]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileType:
    mime_type: str
    extension: str


def kind_of(extension: str) -> str:
    """image, video, audio or document, by the file's extension."""
    return next((kind for kind, known in EXTENSIONS.items() if extension.lower() in known), "document")


def plain_type(given: str) -> str:
    """The type goes into headers when the file is shown: what is no plain ``type/subtype`` becomes an unknown one."""
    return given.lower() if MIME_TYPE.fullmatch(given) else UNKNOWN_TYPE


def settle(*, declared: str, suffix: str, head: bytes) -> FileType:
    """Type and extension of a file that begins with ``head`` and came as ``declared`` with a name ending in ``suffix``."""
    found = sniff(head)
    if found is None:
        return FileType(declared, suffix)
    return FileType(
        found.mime_type if _overrules(found.mime_type, declared) else declared,
        suffix if _fits(suffix, found.mime_type) else found.extension,
    )


def sniff(head: bytes) -> FileType | None:
    """What the bytes say; None when they say nothing."""
    known = filetype.guess(head) if head else None
    if known is not None:
        return FileType(known.mime, known.extension)
    text = _as_text(head)
    return (_markup(text) or FileType(TEXT, "txt")) if text else None


def _overrules(found: str, declared: str) -> bool:
    if _family(found) == "image" or found == PDF:
        return found != SVG or _family(declared) != "" or declared == PDF
    if _family(found):
        return _family(declared) != _family(found)
    return bool(_family(declared)) or declared == PDF or (declared.startswith("text/") and not _is_text(found))


def _fits(suffix: str, found: str) -> bool:
    named = mimetypes.guess_type(f"x.{suffix}")[0] or ""
    if named == found:
        return True
    if found in (PDF, SVG) or _family(found) == "image":
        return found == SVG and kind_of(suffix) == "document"
    if _family(found):
        return _family(found) in (_family(named), _MEDIA.get(kind_of(suffix)))
    return kind_of(suffix) == "document" and suffix != "pdf"


def _family(mime_type: str) -> str:
    return _MEDIA.get(mime_type.partition("/")[0], "")


def _is_text(mime_type: str) -> bool:
    return mime_type.startswith("text/") or mime_type.endswith("xml")


def _as_text(head: bytes) -> str:
    """Nothing when it is binary."""
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "ignore")
    return "" if _BINARY.search(head) else head.decode("utf-8", "replace")


def _markup(text: str) -> FileType | None:
    start = _without_comments(text)
    if start[:5].lower() == "<?xml" or start[:9].lower() == "<!doctype" or _XML_ROOT.match(start):
        root = _XML_ROOT.search(start)
        if root and root[1].lower() == "svg":
            return FileType(SVG, "svg")
        if start[:5].lower() == "<?xml":
            return FileType("application/xhtml+xml", "xhtml") if root else FileType("application/xml", "xml")
    return FileType("text/html", "html") if _HTML.match(start) or start != text.lstrip() else None


def _without_comments(text: str) -> str:
    start = text.lstrip()
    while start.startswith("<!--"):
        _, end, rest = start.partition("-->")
        if not end:
            return ""
        start = rest.lstrip()
    return start
