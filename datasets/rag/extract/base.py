"""What comes out of a document, and why nothing does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import msgspec

from difyproj.kernel.errors import InvalidParam


class Line(msgspec.Struct, frozen=True, array_like=True):
    """Where a line of a page's text stands: offsets into the text, and its box from 0 to 1, the origin at the top left."""

    start: int
    end: int
    x0: float
    y0: float
    x1: float
    y1: float


class Page(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """A page, a slide or a sheet, or a stretch of a document that has none.

    ``number`` counts from 1 and is 0 where there are no pages; ``label`` is a page's own name. ``after`` stands between it and
    the next: the document's text is each page's text and what is after it.
    """

    number: int
    text: str
    label: str = ""
    lines: tuple[Line, ...] = ()
    after: str = "\n\n"
    is_markdown: bool = False


class Extracted(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of a document, in Markdown where it has structure."""

    pages: tuple[Page, ...] = ()
    title: str = ""
    facts: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def text(self) -> str:
        return text_of(self.pages)


class Unreadable(InvalidParam):
    """The document is damaged, locked, too large, or not what it says it is."""

    default_message = "The document cannot be read."


class NeedsVision(Unreadable):
    """The document is a picture: a model that sees can read it. ``mime_type`` is what its bytes are."""

    default_message = "The document is a picture. It can be read where a model that sees is chosen for it."

    def __init__(self, mime_type: str = "") -> None:
        super().__init__()
        self.mime_type = mime_type


@dataclass(frozen=True, slots=True)
class Source:
    """A document's bytes, from the beginning; ``extension`` is in lower case and without the dot."""

    file: IO[bytes] = field(repr=False)
    size: int
    extension: str = ""
    mime_type: str = ""
    most_pages: int = 10_000

    def read(self, most: int) -> bytes:
        """All of it. Raises Unreadable where it is larger than ``most``."""
        if self.size > most:
            raise Unreadable(f"The document is too large for its kind: at most {most // 1024**2} MB can be read.")
        self.file.seek(0)
        return self.file.read()


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is being read: its pages come one after the other. ``facts`` are what else its format knows of it."""

    pages: Iterable[Page]
    title: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


Extractor = Callable[[Source], Document]
"""One format. Raises Unreadable, at once or with any page."""


def text_of(pages: Iterable[Page]) -> str:
    """The document's text; what is after the last page counts for nothing."""
    pieces = [piece for page in pages if page.text for piece in (page.text, page.after)]
    return "".join(pieces[:-1])


def whole(text: str, title: str = "", *, is_markdown: bool = False) -> Document:
    """A document without pages."""
    return Document(_one(text, is_markdown), title)


def _one(text: str, is_markdown: bool) -> Iterator[Page]:
    if text:
        yield Page(0, text, is_markdown=is_markdown)
