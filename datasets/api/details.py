"""One document in full, as far as ``metadata`` asks for it."""

from __future__ import annotations

from typing import Any

from datasets.models import Dataset, Document, ProcessRule
from datasets.services import document_list
from datasets.services.refusals import InvalidMetadata

from . import document_records as records

ONLY_NAMES = ("id", "doc_type", "doc_metadata")
WITHOUT_NAMES = ("doc_type", "doc_metadata")
ALL, ONLY, WITHOUT = "all", "only", "without"


def told(dataset: Dataset, document: Document, wanted: str) -> dict[str, Any]:
    """Raises InvalidMetadata for another word than all, only, without."""
    wanted = wanted or ALL
    if wanted not in (ALL, ONLY, WITHOUT):
        raise InvalidMetadata(f"Invalid metadata value: {wanted}")
    (shown,) = document_list.show(dataset, [document])
    rule = ProcessRule.objects.filter(dataset=dataset).first()
    found: dict[str, Any] = records.DetailRecord(shown, context={"rule": rule}).data
    if wanted == ONLY:
        return {name: found[name] for name in ONLY_NAMES}
    return found if wanted == ALL else {name: found[name] for name in found if name not in WITHOUT_NAMES}
