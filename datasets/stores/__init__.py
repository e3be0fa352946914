"""Where indexes are kept: one file and one row each, all behind ``datasets.rag.stores.Store``."""
