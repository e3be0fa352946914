"""A small library of a workspace, indexed, for tests of answers that lean on it."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async

from datasets.models import Dataset
from datasets.tests.knowledge import make_dataset, make_document, paragraphs, work
from difyproj.testing.cast import Person

PAID = "Invoices are paid within thirty days of their date."
REFUND = "Refunds need the receipt and take a week."
SHIPPED = "Parcels are shipped on Mondays by train."


async def library(person: Person, *texts: str, name: str = "Manual", **values: Any) -> Dataset:
    """A dataset with one document, a passage per text."""
    return await sync_to_async(_library)(person, texts or (PAID, REFUND, SHIPPED), name, values)


def _library(person: Person, texts: tuple[str, ...], name: str, values: dict[str, Any]) -> Dataset:
    made = make_dataset(person.tenant, name=name, **{"permission": "all_team_members", **values})
    make_document(made, "\n\n".join(texts), rule=paragraphs(), name=f"{name.lower()}.md", doc_metadata={"year": 2026})
    work()
    return made


def configs(*datasets: Dataset, **more: Any) -> dict[str, Any]:
    """``dataset_configs`` of an app."""
    rows = [{"dataset": {"enabled": True, "id": str(one.pk)}} for one in datasets]
    return {"retrieval_model": "multiple", "datasets": {"datasets": rows}, "top_k": 2, **more}


SHOWN = {"retriever_resource": {"enabled": True}}
