"""Documents made of texts and files, and made anew of others; under the older names, too."""

from __future__ import annotations

from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import document_intake
from datasets.models import Dataset, Document, Provider
from datasets.services import documents
from datasets.services.refusals import ExternalDataset
from datasets.services.sources import Source
from difyproj.infra import db
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.principal import Principal
from difyproj.tiers import uploads
from difyproj.tiers.actions import Deferred
from difyproj.tiers.datasets import DatasetViewSet

from .. import document_records as records
from .. import document_requests as requests
from ..given import given
from .documents import Documents

OWN = ("name", "text", "original_document_id", "summary_index_setting")
CREATE: dict[str, Any] = {"responses": records.MadeRecord}
WITH_FILE = uploads.body(data=requests.DATA)


class WritingViewSet(DatasetViewSet):
    tag = "Documents"

    def written(self, dataset: Dataset, source: Source, content: document_intake.Content, write: Any) -> Deferred:
        """Keeps the bytes, then lets ``write`` make rows of them."""

        async def keep() -> Response:
            document = await document_intake.keep(source, content, write)
            return Response(await db.run(records.made, dataset, document))

        return Deferred(keep)

    def local(self, dataset_id: str) -> Dataset:
        """Raises ExternalDataset for one whose documents stand elsewhere."""
        found = self.dataset(dataset_id)
        if found.provider == Provider.EXTERNAL:
            raise ExternalDataset
        return found

    def revised(
        self,
        dataset: Dataset,
        document: Document,
        fields: dict[str, Any],
        source: Source | None,
        content: document_intake.Content | None,
    ) -> Response | Deferred:
        """The document with what is given of another text, rule or name."""
        if not documents.is_available(document):
            raise documents.DocumentUnavailable
        changes = {name: fields[name] for name in CHANGES if name in fields}
        write = partial(change, principal=self.owner, dataset=dataset, document=document, changes=changes)
        if source is None or content is None:
            return Response(records.made(dataset, write(None)))
        return self.written(dataset, source, content, write)


class DocumentsOfText(WritingViewSet):
    @extend_schema(operation_id="createDocumentFromText", request=requests.DocumentTextFields, **CREATE)
    def create(self, request: Request, dataset_id: str) -> Response | Deferred:
        dataset, fields = self.local(dataset_id), given(self.body(requests.DocumentTextFields))
        source, content = document_intake.of_text(self.owner, fields["name"]), fields["text"].encode("utf-8", "replace")
        if fields.get("original_document_id"):
            document = documents.get(dataset, fields["original_document_id"])
            return self.revised(dataset, document, fields, source, content)
        return self.written(dataset, source, content, _maker(self.owner, dataset, fields))

    @extend_schema(
        operation_id="createDocumentFromTextByOlderName", request=requests.DocumentTextFields, deprecated=True, **CREATE
    )
    def create_by_older_name(self, request: Request, dataset_id: str) -> Response | Deferred:
        return self.create(request, dataset_id)

    @extend_schema(operation_id="updateDocumentByText", request=requests.DocumentTextChangeFields, **CREATE)
    def update(self, request: Request, dataset_id: str, document_id: str) -> Response | Deferred:
        dataset = self.local(dataset_id)
        document, fields = documents.get(dataset, document_id), given(self.body(requests.DocumentTextChangeFields))
        if not fields.get("text"):
            return self.revised(dataset, document, fields, None, None)
        if not fields.get("name"):
            raise InvalidParam("name is required when text is provided.", params="name")
        source = document_intake.of_text(self.owner, fields["name"])
        return self.revised(dataset, document, fields, source, fields["text"].encode("utf-8", "replace"))

    @extend_schema(
        operation_id="updateDocumentByTextByOlderName", request=requests.DocumentTextChangeFields, deprecated=True, **CREATE
    )
    def update_by_older_name(self, request: Request, dataset_id: str, document_id: str) -> Response | Deferred:
        return self.update(request, dataset_id, document_id)


class DocumentsOfFile(WritingViewSet):
    @extend_schema(operation_id="createDocumentFromFile", request=WITH_FILE, **CREATE)
    def create(self, request: Request, dataset_id: str) -> Response | Deferred:
        dataset = self.local(dataset_id)
        fields = given(requests.data_of(requests.DocumentDataFields, request.data))
        file = uploads.the_file(request)
        source = document_intake.of_file(self.owner, file)
        if fields.get("original_document_id"):
            document = documents.get(dataset, fields["original_document_id"])
            return self.revised(dataset, document, fields, source, file)
        return self.written(dataset, source, file, _maker(self.owner, dataset, fields))

    @extend_schema(operation_id="createDocumentFromFileByOlderName", request=WITH_FILE, deprecated=True, **CREATE)
    def create_by_older_name(self, request: Request, dataset_id: str) -> Response | Deferred:
        return self.create(request, dataset_id)

    @extend_schema(operation_id="updateDocument", request=WITH_FILE, **CREATE)
    def update(self, request: Request, dataset_id: str, document_id: str) -> Response | Deferred:
        """A file is not needed: another rule or name may be said alone."""
        dataset = self.local(dataset_id)
        document = documents.get(dataset, document_id)
        fields = given(requests.data_of(requests.DocumentChangeFields, request.data))
        if not request.FILES and "file" not in request.data:
            return self.revised(dataset, document, fields, None, None)
        file = uploads.the_file(request)
        return self.revised(dataset, document, fields, document_intake.of_file(self.owner, file), file)

    @extend_schema(operation_id="updateDocumentByFile", request=WITH_FILE, deprecated=True, **CREATE)
    def update_by_post(self, request: Request, dataset_id: str, document_id: str) -> Response | Deferred:
        return self.update(request, dataset_id, document_id)

    @extend_schema(operation_id="updateDocumentByFileByOlderName", request=WITH_FILE, deprecated=True, **CREATE)
    def update_by_older_name(self, request: Request, dataset_id: str, document_id: str) -> Response | Deferred:
        return self.update(request, dataset_id, document_id)


class OneDocument(Documents, DocumentsOfFile):
    """All that one address serves."""


CHANGES = ("name", "process_rule", "doc_form", "doc_language", "retrieval_model")


def change(
    source: Source | None, *, principal: Principal, dataset: Dataset, document: Document, changes: dict[str, Any]
) -> Document:
    return documents.update(principal=principal, dataset=dataset, document=document, source=source, **changes)


def _maker(principal: Principal, dataset: Dataset, fields: dict[str, Any]) -> Any:
    settled = {name: value for name, value in fields.items() if name not in OWN}

    def make(source: Source) -> Document:
        return documents.create(principal=principal, dataset=dataset, source=source, **settled)

    return make
