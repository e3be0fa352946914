"""Books: each chapter is a page, in the order of reading."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

from datasets.rag.extract import markup
from datasets.rag.extract.archives import Archive, opened, resolved
from datasets.rag.extract.base import Document, Page, Source, Unreadable
from difyproj.kernel.decoding import decoded

_CONTAINER: Final = "META-INF/container.xml"
_LOCKS: Final = "META-INF/encryption.xml"
_PAGES: Final = ("application/xhtml+xml", "text/html")


def extract(source: Source) -> Document:
    with opened(source.file) as archive:
        root = next((item.get("full-path", "") for item in _named(archive.tree(_CONTAINER), "rootfile")), "")
        if root not in archive.names:
            raise Unreadable("The book is damaged: it does not say what it holds.")
        package = archive.tree(root)
        title = next((item.text or "" for item in _named(package, "title")), "")
        return Document([*_pages(archive, package, posixpath.dirname(root))], title.strip())


def _pages(archive: Archive, package: Any, folder: str) -> Iterator[Page]:
    files = {item.get("id", ""): item for item in _named(package, "item")}
    locked = _locked(archive)
    number = 0
    for reference in _named(package, "itemref"):
        item = files.get(reference.get("idref", ""))
        if item is None or item.get("media-type") not in _PAGES:
            continue
        name = resolved(folder, unquote(item.get("href", "").partition("#")[0]))
        if name in locked:
            raise Unreadable("The book is locked: its text is encrypted.")
        number += 1
        if name in archive.names:
            text, label = markup.markdown(decoded(archive.read(name)))
            if text:
                yield Page(number, text, label, is_markdown=True)


def _locked(archive: Archive) -> frozenset[str]:
    if _LOCKS not in archive.names:
        return frozenset()
    return frozenset(resolved("", unquote(item.get("URI", ""))) for item in _named(archive.tree(_LOCKS), "CipherReference"))


def _named(tree: Any, name: str) -> Iterator[Any]:
    return iter(tree.iter(f"{{*}}{name}"))
