"""The routes of the Service API's datasets room, without their prefix. Names that are no ids stand before those that are."""

from __future__ import annotations

from django.urls import path

from .datasets import Datasets
from .documents import DocumentDownload, DocumentProgress, Documents, DocumentStatus, DocumentsZip
from .external import ExternalKnowledge
from .metadata import BuiltInFields, DocumentsMetadata, MetadataFields
from .pipeline import DatasourceRuns, Datasources, PipelineFiles, PipelineRuns
from .retrieve import Retrieval
from .segments import ChildChunks, Segments
from .tags import TagBindings, Tags, TagsOfDataset
from .writing import DocumentsOfFile, DocumentsOfText, OneDocument

DATASET = "datasets/<str:dataset_id>"
DOCUMENT = f"{DATASET}/documents/<str:document_id>"
SEGMENT = f"{DOCUMENT}/segments/<str:segment_id>"

urlpatterns = [
    path("retrieval", ExternalKnowledge.as_view({"post": "create"})),
    path("datasets", Datasets.as_view({"get": "list", "post": "create"})),
    path("datasets/tags", Tags.as_view({"get": "list", "post": "create", "patch": "update", "delete": "destroy"})),
    path("datasets/tags/binding", TagBindings.as_view({"post": "create"})),
    path("datasets/tags/unbinding", TagBindings.as_view({"post": "remove"})),
    path("datasets/pipeline/file-upload", PipelineFiles.as_view({"post": "create"})),
    path(DATASET, Datasets.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    path(f"{DATASET}/retrieve", Retrieval.as_view({"post": "create"})),
    path(f"{DATASET}/hit-testing", Retrieval.as_view({"post": "create_by_older_name"})),
    path(f"{DATASET}/tags", TagsOfDataset.as_view({"get": "list"})),
    path(f"{DATASET}/metadata", MetadataFields.as_view({"get": "list", "post": "create"})),
    path(f"{DATASET}/metadata/built-in", BuiltInFields.as_view({"get": "list"})),
    path(f"{DATASET}/metadata/built-in/<str:action>", BuiltInFields.as_view({"post": "switch"})),
    path(f"{DATASET}/metadata/<str:metadata_id>", MetadataFields.as_view({"patch": "update", "delete": "destroy"})),
    path(f"{DATASET}/pipeline/datasource-plugins", Datasources.as_view({"get": "list"})),
    path(f"{DATASET}/pipeline/datasource/nodes/<str:node_id>/run", DatasourceRuns.as_view({"post": "create"})),
    path(f"{DATASET}/pipeline/run", PipelineRuns.as_view({"post": "create"})),
    path(f"{DATASET}/document/create-by-text", DocumentsOfText.as_view({"post": "create"})),
    path(f"{DATASET}/document/create_by_text", DocumentsOfText.as_view({"post": "create_by_older_name"})),
    path(f"{DATASET}/document/create-by-file", DocumentsOfFile.as_view({"post": "create"})),
    path(f"{DATASET}/document/create_by_file", DocumentsOfFile.as_view({"post": "create_by_older_name"})),
    path(f"{DATASET}/documents", Documents.as_view({"get": "list"})),
    path(f"{DATASET}/documents/metadata", DocumentsMetadata.as_view({"post": "create"})),
    path(f"{DATASET}/documents/download-zip", DocumentsZip.as_view({"post": "create"})),
    path(f"{DATASET}/documents/status/<str:action>", DocumentStatus.as_view({"patch": "update"})),
    path(f"{DATASET}/documents/<str:batch>/indexing-status", DocumentProgress.as_view({"get": "list"})),
    path(DOCUMENT, OneDocument.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    path(f"{DOCUMENT}/download", DocumentDownload.as_view({"get": "retrieve"})),
    path(f"{DOCUMENT}/update-by-text", DocumentsOfText.as_view({"post": "update"})),
    path(f"{DOCUMENT}/update_by_text", DocumentsOfText.as_view({"post": "update_by_older_name"})),
    path(f"{DOCUMENT}/update-by-file", DocumentsOfFile.as_view({"post": "update_by_post"})),
    path(f"{DOCUMENT}/update_by_file", DocumentsOfFile.as_view({"post": "update_by_older_name"})),
    path(f"{DOCUMENT}/segments", Segments.as_view({"get": "list", "post": "create"})),
    path(SEGMENT, Segments.as_view({"get": "retrieve", "post": "update", "delete": "destroy"})),
    path(f"{SEGMENT}/child_chunks", ChildChunks.as_view({"get": "list", "post": "create"})),
    path(f"{SEGMENT}/child_chunks/<str:child_chunk_id>", ChildChunks.as_view({"patch": "update", "delete": "destroy"})),
]
