"""Rows of the datasets room: collections, documents, passages, vectors."""

from .dataset import (
    Dataset,
    DatasetMember,
    DatasetQuery,
    DocForm,
    ExternalKnowledgeApi,
    IndexingTechnique,
    MetadataField,
    MetadataType,
    Permission,
    Provider,
    QuerySource,
)
from .document import UNFINISHED, DataSourceType, Document, IndexingStatus, ProcessRule
from .embedding import Embedding, IndexEntry, StoredIndex
from .leftover import Leftover
from .segment import ChildChunk, ChildChunkType, Segment, SegmentStatus

__all__ = [
    "UNFINISHED",
    "ChildChunk",
    "ChildChunkType",
    "DataSourceType",
    "Dataset",
    "DatasetMember",
    "DatasetQuery",
    "DocForm",
    "Document",
    "Embedding",
    "ExternalKnowledgeApi",
    "IndexEntry",
    "IndexingStatus",
    "IndexingTechnique",
    "Leftover",
    "MetadataField",
    "MetadataType",
    "Permission",
    "ProcessRule",
    "Provider",
    "QuerySource",
    "Segment",
    "SegmentStatus",
    "StoredIndex",
]
