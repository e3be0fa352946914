"""PostgreSQL's table of vectors: made when it is first needed, for the extension ``vector`` may come later than the house.

It holds vectors of every length. What is large has an HNSW index of its own, over its entries only: others' neither slow it
down nor hide its neighbours, and it goes with them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any, Final

from django.db import DatabaseError, NotSupportedError, connection, transaction

from difyproj.kernel import clock

logger = logging.getLogger(__name__)

TABLE: Final = "datasets_entryvector"
EXTENSION = "vector"
LOCK: Final = 0x1D8E
# What pgvector can build an HNSW index over: numbers of 32 bits, above that of 16, above that none.
MOST_WHOLE, MOST_HALF = 2000, 4000
NEIGHBOURS, BUILT_WITH = 16, 64
REFUSED_SECONDS: Final = 60.0
BUILD_MEMORY: Final = "512MB"

_lock = Lock()
_ready: set[str] = set()
_refused: dict[str, float] = {}
_built: set[tuple[str, int]] = set()
_building: set[tuple[str, int]] = set()


def is_possible() -> bool:
    """Whether this database can hold vectors; the table is made by asking. A no is believed for a minute."""
    name = _database()
    if clock.monotonic() < _refused.get(name, 0.0):
        return False
    try:
        ensure()
    except DatabaseError as error:
        logger.info("pgvector is not used: %s", str(error).splitlines()[0])
        _refused[name] = clock.monotonic() + REFUSED_SECONDS
        return False
    return True


def ensure() -> None:
    """Make extension and table where they are missing. Raises DatabaseError where the database does not let us."""
    name = _database()
    if name in _ready:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regclass(%s), EXISTS (SELECT FROM pg_available_extensions WHERE name = %s)", [TABLE, EXTENSION]
        )
        table, is_available = cursor.fetchone()
        if not is_available:
            raise NotSupportedError(f"The extension {EXTENSION} is not installed.")
        if table is None:
            _make(cursor)
    if not connection.in_atomic_block:
        _ready.add(name)


def approximate(index: int, dimensions: int) -> bool:
    """Whether the HNSW index of this index answers; if not, it is built from now on, by a thread of its own."""
    key = _database(), index
    if key in _built:
        return True
    if dimensions > MOST_HALF:
        return False
    if _is_valid(index):
        _built.add(key)
        return True
    with _lock:
        if key in _building:
            return False
        _building.add(key)
    Thread(target=_build_and_close, args=(key, dimensions), name=f"hnsw-{index}", daemon=True).start()
    return False


def build(index: int, dimensions: int) -> bool:
    """Build the HNSW index without holding up who writes; False when another process does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK, index])
        if not cursor.fetchone()[0]:
            return False
        try:
            if not _is_valid(index):
                cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_name(index)}")
                cursor.execute("SELECT set_config('maintenance_work_mem', %s, false)", [BUILD_MEMORY])
                cursor.execute(
                    f"CREATE INDEX CONCURRENTLY {_name(index)} ON {TABLE} USING hnsw "
                    f"(({typed('embedding', dimensions)}) {_kind(dimensions)}_ip_ops) "
                    f"WITH (m = {NEIGHBOURS}, ef_construction = {BUILT_WITH}) WHERE index_id = {index:d}"
                )
                cursor.execute("RESET maintenance_work_mem")
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK, index])
    return True


def drop(index: int) -> None:
    """Its entries are gone; an index over nothing may go when nobody reads it."""
    _built.discard((_database(), index))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {_name(index)}")


def typed(text: str, dimensions: int) -> str:
    """SQL of a vector as the HNSW index has it."""
    return f"{text}::{_kind(dimensions)}({dimensions:d})"


@contextmanager
def searching(breadth: int) -> Iterator[Any]:
    """A cursor whose HNSW searches look at ``breadth`` candidates, and at more while filters leave too few.

    Sorting is made unwelcome, so that the planner takes the HNSW index whatever it thinks of the filters.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('hnsw.ef_search', %s, true), set_config('hnsw.iterative_scan', 'relaxed_order', true), "
            "set_config('enable_sort', 'off', true)",
            [str(breadth)],
        )
        yield cursor


def forget() -> None:
    """What was found out about databases, for tests."""
    _ready.clear()
    _refused.clear()
    _built.clear()


def _make(cursor: Any) -> None:
    """Under a lock: two processes that make the same thing at once would make one of them fail. The table points at none of
    ours, whose writers would have to be waited for.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [LOCK])
    cursor.execute(f"CREATE EXTENSION IF NOT EXISTS {EXTENSION}")
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {TABLE} ("
        "index_id bigint, node_id uuid, document_id uuid NOT NULL, embedding vector NOT NULL, PRIMARY KEY (index_id, node_id))"
    )
    cursor.execute(f"CREATE INDEX IF NOT EXISTS {TABLE}_documents ON {TABLE} (index_id, document_id)")


def _build_and_close(key: tuple[str, int], dimensions: int) -> None:
    try:
        build(key[1], dimensions)
    except DatabaseError as error:
        logger.warning("An HNSW index could not be built; searches go on without it: %s", error)
    finally:
        with _lock:
            _building.discard(key)
        connection.close()


def _is_valid(index: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [_name(index)])
        row = cursor.fetchone()
    return row is not None and bool(row[0])


def _kind(dimensions: int) -> str:
    return "vector" if dimensions <= MOST_WHOLE else "halfvec"


def _name(index: int) -> str:
    return f"{TABLE}_hnsw_{index:d}"


def _database() -> str:
    settings = connection.settings_dict
    return f"{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"
