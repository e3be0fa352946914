"""A rerank model decides the order of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from accounts.services import model_access
from accounts.services.model_access import ModelChoice
from difyproj.infra import db
from difyproj.infra.model_port import runtime
from difyproj.model_runtime.base import ModelType

from .retrieval_settings import Reranker

MOST = 50
"""Texts of one call."""


def choice(tenant_id: UUID, wanted: Reranker) -> ModelChoice | None:
    """The model that is named, else the workspace's default; None where it has none, then nothing is reranked."""
    if wanted.provider and wanted.model:
        return ModelChoice(wanted.provider, wanted.model)
    return model_access.default_model(tenant_id, ModelType.RERANK)


async def scores(tenant_id: UUID, wanted: Reranker, query: str, texts: Sequence[str]) -> dict[int, float] | None:
    """By place in ``texts``, from 0 to 1; None where there is no model. Raises what the runtime raises."""
    chosen = await db.run(choice, tenant_id, wanted)
    if chosen is None or not texts:
        return None
    credentials = await db.run(
        model_access.credentials_for, tenant_id, chosen.provider, model=chosen.model, model_type=ModelType.RERANK
    )
    ranked = await runtime().rerank(chosen.provider, credentials, chosen.model, query, texts[:MOST])
    return {one.index: min(max(one.score, 0.0), 1.0) for one in ranked if 0 <= one.index < len(texts)}
