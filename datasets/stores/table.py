"""The table of stores, and which one keeps a new dataset's index."""

from __future__ import annotations

from functools import cache
from typing import Final

from django.conf import settings
from django.db import connection

from datasets.rag.stores import Store
from difyproj.kernel.errors import ServiceUnavailable
from difyproj.kernel.registry import Registry, UnknownEntry

from . import vector_table

AUTO: Final = "auto"

STORES: Final[Registry[type[Store]]] = Registry(
    "vector store",
    {
        "embedded": "datasets.stores.embedded:EmbeddedStore",
        "memory": "datasets.stores.memory:MemoryStore",
        "pgvector": "datasets.stores.pgvector:PgvectorStore",
        "qdrant": "datasets.stores.qdrant:QdrantStore",
    },
)


def store_named(name: str) -> Store:
    """The store of that name, or the default for an empty one. Raises ServiceUnavailable for one that is not known here."""
    try:
        return _made(STORES.resolve(name or default_name()))
    except UnknownEntry:
        raise ServiceUnavailable(f"This dataset's index is kept in {name!r}, which is not known here.") from None


def default_name() -> str:
    """What ``KNOWLEDGE_STORE`` says; ``auto`` is pgvector where the database has it. A dataset keeps the one it began with."""
    chosen: str = settings.KNOWLEDGE_STORE
    if chosen != AUTO:
        return chosen
    if connection.vendor != "postgresql":
        return "embedded"
    return "pgvector" if vector_table.is_possible() else "embedded"


@cache
def _made(name: str) -> Store:
    return STORES.get(name)()
