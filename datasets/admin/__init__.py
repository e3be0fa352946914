"""The admin of knowledge: what is indexed is changed through the services, and how well it is found is tried here."""

from . import asked, collections, documents, pages, passages

__all__ = ["asked", "collections", "documents", "pages", "passages"]
