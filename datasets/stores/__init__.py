"""Where indexes are kept: one file and one row each, all behind ``datasets.rag.stores.Store``."""

from .table import STORES, default_name, store_named

__all__ = ["STORES", "default_name", "store_named"]
