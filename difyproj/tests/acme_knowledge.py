"""Alice's datasets, and what the console's routes name beside them: a document that failed, and an upload with its bytes."""

from __future__ import annotations

from apps.models import UploadFile
from datasets.models import Dataset, DatasetQuery, Document, IndexingStatus, QuerySource
from difyproj.infra.storage import get_storage
from difyproj.kernel import ids
from difyproj.testing.cast import Person

from . import acme_datasets

TEXT = b"# Terms\n\nInvoices are paid within thirty days.\n\nRefunds need a receipt."


def furnish(person: Person, secret: str) -> dict[str, str]:
    """Only what was asked says ``secret``: answers to whoever changes rows show their names. In a thread of the database."""
    known = acme_datasets.furnish(person, "Confidential")
    dataset = Dataset.objects.get(pk=known["dataset_id"])
    DatasetQuery.objects.create(tenant=person.tenant, dataset=dataset, content=secret, source=QuerySource.APP)
    failed = acme_datasets.add_document(person, dataset, "Broken")
    Document.objects.filter(pk=failed.pk).update(indexing_status=IndexingStatus.ERROR, error="Broken.")
    return {**known, "failed_document_id": str(failed.pk), "upload_id": str(_upload(person).pk)}


def _upload(person: Person) -> UploadFile:
    key = f"upload_files/{person.tenant.pk}/{ids.new_id()}.md"
    get_storage().save(key, TEXT)
    return UploadFile.objects.create(
        tenant=person.tenant, key=key, name="more.md", size=len(TEXT), extension="md", mime_type="text/markdown", hash="0" * 64,
        created_by_role="account", account_id=person.account.pk,
    )  # fmt: skip
