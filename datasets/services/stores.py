"""Which store holds a dataset's index."""

from __future__ import annotations

from datasets.models import Dataset
from datasets.rag.stores import Store
from datasets.stores import store_named

__all__ = ["store_named", "store_of"]


def store_of(dataset: Dataset) -> Store:
    return store_named(dataset.store)
