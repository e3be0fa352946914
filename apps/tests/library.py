"""A small library of a workspace, indexed, for tests of answers that lean on it."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async

from datasets.models import Dataset, Document, IndexingTechnique
from datasets.services import pipeline, rules
from difyproj.infra import jobs
from difyproj.infra.storage import get_storage
from difyproj.kernel import ids
from difyproj.testing.cast import Person

PAID = "Invoices are paid within thirty days of their date."
REFUND = "Refunds need the receipt and take a week."
SHIPPED = "Parcels are shipped on Mondays by train."
PARAGRAPHS = {
    "mode": "custom",
    "rules": {"segmentation": {"separator": "\n\n", "max_tokens": 500}, "pre_processing_rules": []},
}


async def library(person: Person, *texts: str, name: str = "Manual", **values: Any) -> Dataset:
    """A dataset with one document, a passage per text."""
    return await sync_to_async(_library)(person, texts or (PAID, REFUND, SHIPPED), name, values)


def _library(person: Person, texts: tuple[str, ...], name: str, values: dict[str, Any]) -> Dataset:
    index = {"embedding_model_provider": "builtin", "embedding_model": "hashing-384", "permission": "all_team_members"}
    made = Dataset.objects.create(
        tenant=person.tenant, name=name, indexing_technique=IndexingTechnique.HIGH_QUALITY, **{**index, **values}
    )
    key, text = f"datasets/{made.tenant_id}/{ids.new_id()}.md", "\n\n".join(texts).encode()
    get_storage().save(key, text)
    document = Document.objects.create(
        tenant=person.tenant, dataset=made, process_rule=rules.create(dataset=made, given=PARAGRAPHS, created_by_id=None),
        key=key, size=len(text), name=f"{name.lower()}.md", extension="md", batch="b", doc_metadata={"year": 2026},
    )  # fmt: skip
    pipeline.start(document)
    jobs.run_waiting("datasets.index", due_only=False)
    return made


def configs(*datasets: Dataset, **more: Any) -> dict[str, Any]:
    """``dataset_configs`` of an app."""
    rows = [{"dataset": {"enabled": True, "id": str(one.pk)}} for one in datasets]
    return {"retrieval_model": "multiple", "datasets": {"datasets": rows}, "top_k": 2, **more}


SHOWN = {"retriever_resource": {"enabled": True}}
