"""Process rules: kept once, never changed, so that a document can always be made again as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from datasets.models import Dataset, ProcessRule
from datasets.rag.split import AUTOMATIC_RULES, Rule
from difyproj.kernel import jsonio


def create(*, dataset: Dataset, given: Mapping[str, Any] | None, created_by_id: UUID | None) -> ProcessRule:
    """``given`` is the contract's ``{mode, rules}``; None is automatic. Raises InvalidParam that names the field."""
    rule = Rule.parse(given)
    rules = AUTOMATIC_RULES if given is None or rule.mode == "automatic" else given["rules"]
    return ProcessRule.objects.create(
        tenant_id=dataset.tenant_id, dataset=dataset, mode=rule.mode, rules=jsonio.storable(rules), created_by_id=created_by_id
    )


def parsed(row: ProcessRule) -> Rule:
    return Rule.parse({"mode": row.mode, "rules": row.rules})
