"""Retrieval, pure: from a document's bytes to passages. No tenant, no row, no setting."""
