"""The base of the Console's routes about one dataset: it is fetched through the caller, who sees what its role may."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.models import UploadFile
from apps.services import files
from datasets.models import Dataset, Document, Provider, Segment
from datasets.services import access, documents, segments
from datasets.services.refusals import ExternalDataset
from difyproj.kernel.errors import FileNotFound, InvalidParam
from difyproj.tiers.console import ConsoleViewSet

VIEW, EDIT = "dataset.view", "dataset.edit"


class KnowledgeViewSet(ConsoleViewSet):
    def dataset(self, dataset_id: UUID | str) -> Dataset:
        """Raises DatasetNotFound, also for what is another's own."""
        return access.get(self.principal, dataset_id)

    def local(self, dataset_id: UUID | str) -> Dataset:
        """Raises ExternalDataset for one whose documents stand elsewhere."""
        found = self.dataset(dataset_id)
        if found.provider == Provider.EXTERNAL:
            raise ExternalDataset
        return found

    def document(self, dataset_id: str, document_id: str) -> tuple[Dataset, Document]:
        dataset = self.dataset(dataset_id)
        return dataset, documents.get(dataset, document_id)

    def segment(self, dataset_id: str, document_id: str, segment_id: str) -> tuple[Dataset, Document, Segment]:
        dataset, document = self.document(dataset_id, document_id)
        return dataset, document, segments.get(document, segment_id)

    def uploads(self, ids: Sequence[UUID | str]) -> list[UploadFile]:
        """The caller's own uploads, in this order. Raises FileNotFound."""
        found = files.own(self.principal, [str(one) for one in ids])
        if any(str(one) not in found for one in ids):
            raise FileNotFound
        return [found[str(one)] for one in ids]

    def attachments(self, ids: Sequence[UUID] | None) -> list[str] | None:
        """Raises InvalidParam for a file that is not the caller's."""
        if ids is None:
            return None
        wanted = [str(one) for one in ids]
        if set(wanted) - set(files.own(self.principal, wanted)):
            raise InvalidParam("A file of attachment_ids was not found.", params="attachment_ids")
        return wanted
