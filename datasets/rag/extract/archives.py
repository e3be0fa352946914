"""Documents that are archives: how much they would unpack is known before anything is unpacked, and nothing is ever written."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import IO, Any, Final

from .base import Unreadable

_MOST_BYTES: Final = 256 * 1024 * 1024
_MOST_PARTS: Final = 10_000
_DAMAGED: Final = "The document is damaged: it is a broken archive."
_BROKEN: Final = (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, EOFError)


class Archive:
    """Parts by name. A name is only ever looked up in the archive's own list: none leads anywhere else."""

    def __init__(self, given: zipfile.ZipFile) -> None:
        self._given = given
        self.names = frozenset(given.namelist())

    def read(self, name: str) -> bytes:
        """Raises Unreadable for a part that is missing or broken."""
        try:
            return self._given.read(name)
        except (KeyError, *_BROKEN):
            raise Unreadable("The document is damaged: a part of it is missing or broken.") from None

    def tree(self, name: str) -> Any:
        """A part that is XML. Entities are not resolved, and nothing is fetched. Raises Unreadable."""
        etree = _etree()
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False)
        try:
            return etree.fromstring(self.read(name), parser)
        except etree.XMLSyntaxError:
            raise Unreadable("The document is damaged: a part of it is no XML.") from None

    def related(self, name: str) -> dict[str, str]:
        """The parts that a part of an Office document names, by the names it gives them."""
        folder, file = posixpath.split(name)
        listing = f"{folder}/_rels/{file}.rels"
        if listing not in self.names:
            return {}
        targets = {
            one.get("Id", ""): one.get("Target", "") for one in self.tree(listing) if one.get("TargetMode") != "External"
        }
        return {key: resolved(folder, target) for key, target in targets.items()}


@contextmanager
def opened(file: IO[bytes]) -> Iterator[Archive]:
    """Raises Unreadable for an archive that is broken, locked, or a bomb."""
    file.seek(0)
    try:
        given = zipfile.ZipFile(file)
    except _BROKEN:
        raise Unreadable(_DAMAGED) from None
    with given:
        parts = given.infolist()
        if any(part.flag_bits & 1 for part in parts):
            raise Unreadable("The document is locked by a password.")
        if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_BYTES:
            raise Unreadable("The document is too large once it is unpacked.")
        yield Archive(given)


@cache
def _etree() -> Any:
    """Of the processes that know this module only those that read documents need it: 6 MB."""
    return import_module("lxml.etree")


def check(file: IO[bytes]) -> frozenset[str]:
    """The names of its parts, where a library is to open it. Raises as ``opened``."""
    with opened(file) as archive:
        names = archive.names
    file.seek(0)
    return names


def resolved(folder: str, target: str) -> str:
    """The part that ``target`` names, seen from ``folder``."""
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
