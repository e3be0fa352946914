"""Web pages."""

from __future__ import annotations

import re
from typing import Final

from datasets.rag.extract import markup
from datasets.rag.extract.base import Document, Source
from datasets.rag.extract.plain import text_of
from difyproj.kernel.decoding import decoded

_CHARSET: Final = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([a-zA-Z0-9_:.-]{1,40})""", re.IGNORECASE)
_MOST_BYTES: Final = 32 * 1024**2
_HEAD: Final = 2048


def extract(source: Source) -> Document:
    return markup.document(text(source))


def text(source: Source) -> str:
    """Read in the encoding that the page names."""
    data = source.read(_MOST_BYTES)
    stated = _CHARSET.search(data[:_HEAD])
    return decoded(data, stated[1].decode("ascii")) if stated else text_of(data)
