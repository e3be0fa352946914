"""HNSW graphs over large parts, by faiss where it is installed: built by a thread, kept in a file for the next process.

A file is named by the hash of what it was built from, so it is never wrong, only useless: those that nobody has read for a
week go. Until a graph is there, and where a filter leaves little of it, rows are compared one by one.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

FROM_ROWS = 50_000
NEIGHBOURS, BUILT_WITH = 16, 80
BREADTH: Final = 128
# Somebody else builds it, or it could not be built.
AGAIN_SECONDS: Final = 60.0
WEEK_SECONDS: Final = 7 * 24 * 3600


@dataclass(slots=True, eq=False)
class Graph:
    """The graph of a part's vectors, or the wait for it."""

    _lock: Lock = field(default_factory=Lock)
    _index: Any = None
    _again: float = 0.0

    @property
    def bytes(self) -> int:
        return 0 if self._index is None else int(self._index.ntotal) * (self._index.d + 2 * NEIGHBOURS) * 4

    def nearest(
        self, ids: NDArray[Any], vectors: NDArray[np.float32], asked: NDArray[np.float32], chosen: NDArray[np.bool_], top_k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """Rows and inner products, best first; None where there is no graph yet."""
        if len(vectors) < FROM_ROWS or (self._index is None and not self._begin(ids, vectors)):
            return None
        faiss = import_module("faiss")
        given: dict[str, Any] = {"efSearch": max(BREADTH, 2 * top_k)}
        if not chosen.all():
            bits = np.packbits(chosen, bitorder="little")
            given["sel"] = faiss.IDSelectorBitmap(bits)
        products, rows = self._index.search(asked[np.newaxis], top_k, params=faiss.SearchParametersHNSW(**given))
        there = rows[0] >= 0
        return rows[0][there], products[0][there]

    def _begin(self, ids: NDArray[Any], vectors: NDArray[np.float32]) -> bool:
        with self._lock:
            if time.monotonic() < self._again or find_spec("faiss") is None:
                return False
            self._again = float("inf")
        Thread(target=self._make, args=(ids, vectors), name="neighbours", daemon=True).start()
        return False

    def _make(self, ids: NDArray[Any], vectors: NDArray[np.float32]) -> None:
        try:
            self._index = _read_or_built(ids, vectors)
        except (OSError, RuntimeError) as error:
            logger.warning("A graph of neighbours could not be built; searches go on without it: %s", error)
        finally:
            self._again = time.monotonic() + AGAIN_SECONDS


def _read_or_built(ids: NDArray[Any], vectors: NDArray[np.float32]) -> Any:
    """None while another process builds it."""
    faiss: Any = import_module("faiss")
    folder = Path(settings.DIFYPROJ_VAR) / "indexes"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{_hash(ids, vectors)}.faiss"
    with _alone(path.with_suffix(".lock")) as is_alone:
        if not is_alone:
            return None
        if not path.exists():
            _forget_old(folder)
            # One thread, whose process has other things to do.
            faiss.omp_set_num_threads(1)
            index = faiss.IndexHNSWFlat(vectors.shape[1], NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = BUILT_WITH
            index.add(vectors)
            unfinished = path.with_suffix(".new")
            faiss.write_index(index, str(unfinished))
            unfinished.rename(path)
        os.utime(path)
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)


def _hash(ids: NDArray[Any], vectors: NDArray[np.float32]) -> str:
    found = hashlib.blake2b(digest_size=16)
    found.update(f"{NEIGHBOURS} {BUILT_WITH} {vectors.shape}".encode())
    found.update(np.ascontiguousarray(ids).data)
    found.update(np.ascontiguousarray(vectors).data)
    return found.hexdigest()


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _forget_old(folder: Path) -> None:
    for path in folder.iterdir():
        if path.suffix in (".faiss", ".lock", ".new"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > WEEK_SECONDS:
                    path.unlink()
