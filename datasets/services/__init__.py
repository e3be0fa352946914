"""Writes and look-ups of knowledge: datasets, documents, segments, the way from a file to an index, and retrieval."""
