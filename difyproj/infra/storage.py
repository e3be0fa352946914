"""Where the bytes of files are kept: a local folder, or any Django storage (S3, say) configured as ``STORAGES["uploads"]``."""

from __future__ import annotations

import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage as DjangoStorage
from django.core.files.storage import storages

from difyproj.kernel.errors import FileNotFound, InvalidParam

Content = bytes | IO[bytes] | Iterable[bytes]

ALIAS = "uploads"
FOLDER = "storage"
PARTIAL = ".partial"
PIECE = 1024 * 1024
_SEGMENT = re.compile(r"\w[\w.-]*")
_MAX_SEGMENT_BYTES, _MAX_KEY_BYTES = 255, 1000


class UnsafeKey(InvalidParam):
    """The key is not a plain relative path of names."""

    default_message = "The file's key is not valid."


class Storage(ABC):
    """Bytes by key. A key is names joined by ``/``, of letters, digits, ``_``, ``-`` and ``.``, none beginning with a dot.

    Every operation raises UnsafeKey for any other key; all of them may block, so asynchronous code uses a thread.
    """

    @abstractmethod
    def save(self, key: str, content: Content) -> None:
        """Keep all of ``content`` under ``key``, in place of what was there; a reader sees the old bytes or the new ones."""

    @abstractmethod
    def open(self, key: str) -> IO[bytes]:
        """A binary file to read and close. Raises FileNotFound."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Forget ``key``; nothing happens when it is not there."""

    @abstractmethod
    def exists(self, key: str) -> bool: ...

    def read(self, key: str) -> bytes:
        """All bytes of ``key``. Raises FileNotFound."""
        with self.open(key) as file:
            return file.read()


class LocalStorage(Storage):
    """Files below one folder, readable by this system user only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def save(self, key: str, content: Content) -> None:
        path = self._path(key)
        partial = self._folder / PARTIAL
        for folder in (partial, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=partial)
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in _pieces(content):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def open(self, key: str) -> IO[bytes]:
        path = self._path(key)
        try:
            return open(path, "rb", opener=_open_no_link)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise FileNotFound from None

    def delete(self, key: str) -> None:
        try:
            self._path(key).unlink(missing_ok=True)
        except (NotADirectoryError, IsADirectoryError):
            return

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def _path(self, key: str) -> Path:
        path = self._folder / checked(key)
        # A folder that somebody replaced by a link must not lead outside.
        if not path.parent.resolve().is_relative_to(self._folder) or path.is_symlink():
            raise UnsafeKey
        return path


class DjangoBackedStorage(Storage):
    """Any storage that Django can configure."""

    def __init__(self, backend: DjangoStorage) -> None:
        self._backend = backend

    def save(self, key: str, content: Content) -> None:
        name = checked(key)
        self.delete(name)
        kept = self._backend.save(name, _as_file(content))
        if kept != name:
            self._backend.delete(kept)
            raise FileExistsError(f"The storage would not keep a file under the key {name}.")

    def open(self, key: str) -> IO[bytes]:
        name = checked(key)
        try:
            file: IO[bytes] = self._backend.open(name, "rb")
        except (FileNotFoundError, IsADirectoryError):
            raise FileNotFound from None
        return file

    def delete(self, key: str) -> None:
        name = checked(key)
        if self._backend.exists(name):
            self._backend.delete(name)

    def exists(self, key: str) -> bool:
        return bool(self._backend.exists(checked(key)))


def get_storage() -> Storage:
    """This installation's storage: ``STORAGES["uploads"]`` where it is set, else the folder ``storage`` of the var folder."""
    if ALIAS in settings.STORAGES:
        return DjangoBackedStorage(storages[ALIAS])
    return LocalStorage(Path(settings.DIFYPROJ_VAR) / FOLDER)


def checked(key: str) -> str:
    """``key`` itself. Raises UnsafeKey for anything that could name a place outside, or that no file system takes."""
    segments = key.split("/")
    if len(key.encode("utf-8", "surrogatepass")) > _MAX_KEY_BYTES or not all(map(_SEGMENT.fullmatch, segments)):
        raise UnsafeKey
    if any(len(segment.encode()) > _MAX_SEGMENT_BYTES for segment in segments):
        raise UnsafeKey
    return key


def _pieces(content: Content) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
    elif hasattr(content, "read"):
        while piece := content.read(PIECE):
            yield piece
    else:
        yield from content


def _as_file(content: Content) -> File[bytes]:
    if hasattr(content, "read"):
        return File(cast(IO[bytes], content))
    return ContentFile(b"".join(_pieces(content)))


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
