"""What comes out of a document, and why nothing does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from difyproj.kernel.errors import InvalidParam


class Page(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page, a slide or a sheet; ``number`` counts from 1, ``label`` is its own name."""

    number: int
    text: str
    label: str = ""


class Extracted(msgspec.Struct, frozen=True, omit_defaults=True):
    """``text`` is all of it, in Markdown where the document has structure; ``pages`` where it has any."""

    text: str
    pages: Sequence[Page] = ()
    title: str = ""


class Unreadable(InvalidParam):
    """The document is damaged, locked, too large, or not what it says it is."""

    default_message = "The document cannot be read."


Extractor = Callable[[bytes], Extracted]
"""One format. Raises Unreadable."""


def joined(pages: Sequence[Page], title: str = "") -> Extracted:
    """A document of pages: their texts, an empty line between them."""
    return Extracted("\n\n".join(page.text for page in pages if page.text), tuple(pages), title)
