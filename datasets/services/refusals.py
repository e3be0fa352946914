"""What the Knowledge API refuses: the contract's codes, one class each."""

from __future__ import annotations

from typing import ClassVar

from difyproj.kernel.errors import Conflict, DomainError, Forbidden, InvalidParam, NotFound


class DatasetNotFound(NotFound):
    default_message = "Dataset not found."


class DocumentNotFound(NotFound):
    default_message = "Document not found."


class SegmentNotFound(NotFound):
    default_message = "Segment not found."


class ChildChunkNotFound(NotFound):
    default_message = "Child chunk not found."


class DatasetApiDisabled(Forbidden):
    default_message = "Dataset api access is not enabled."


class RateExceeded(Forbidden):
    """By the contract a 403, whose text is all that tells it from others."""

    default_message = "Sorry, you have reached the knowledge base request rate limit of your subscription."


class TooManyDocuments(Forbidden):
    default_message = "The number of documents has reached the limit of your subscription."


class DatasetNameDuplicate(Conflict):
    code: ClassVar[str] = "dataset_name_duplicate"
    default_message = "The dataset name already exists. Please modify your dataset name."


class DatasetInUse(Conflict):
    code: ClassVar[str] = "dataset_in_use"
    default_message = "The dataset is being used by some apps. Please remove the dataset from the apps before deleting it."


class DatasetIndexing(Conflict):
    code: ClassVar[str] = "dataset_indexing_in_progress"
    default_message = "The dataset is being indexed anew. Please wait until that is done."


class ArchivedDocument(Forbidden):
    code: ClassVar[str] = "archived_document_immutable"
    default_message = "The archived document is not editable."


class InvalidAction(DomainError):
    code: ClassVar[str] = "invalid_action"
    default_message = "Invalid action."


class InvalidMetadata(DomainError):
    code: ClassVar[str] = "invalid_metadata"
    default_message = "The metadata content is incorrect. Please check and verify."


class DocumentUnavailable(InvalidParam):
    default_message = "Document is not available."


class ExternalDataset(InvalidParam):
    default_message = "External datasets are not supported."
