"""The datasets of one run: what its graph may ask, what was found, and what of it is cited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from apps.models import UploadFile
from datasets.models import Dataset, MetadataField, QuerySource
from datasets.models.dataset import DatasetRows
from datasets.services import access, retrieval, retrieval_settings
from datasets.services.metadata import BUILT_IN
from datasets.services.retrieval import Asker, Passage, Settings
from difyproj.infra import db
from difyproj.kernel import ids
from difyproj.kernel.principal import ActorKind, Principal, Tier
from workflows.engine.events import NodeFinished

from . import given_files, knowledge_items
from .run_files import RunFiles

NODE: Final = "knowledge-retrieval"
FROM_GRAPHS: Final = "workflow"
SOURCES: Final = {Tier.SERVICE: "api", Tier.WEB: "web_app", Tier.CONSOLE: "dev"}


class Knowledge:
    """A run's KnowledgePort. ``found`` holds all passages that it gave, in the order of the searches.

    An app asks the datasets that it was saved with, whoever asks it; who builds it may try others that it may see.
    """

    def __init__(self, principal: Principal, *, retriever_from: str = FROM_GRAPHS, files: RunFiles | None = None) -> None:
        self.found: list[Mapping[str, Any]] = []
        self._principal = principal
        self._retriever_from = retriever_from
        self._files = files

    async def retrieve(
        self, query: str, dataset_ids: Sequence[str], settings: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        """Raises what ``datasets.services.retrieval`` raises, and InvalidParam for settings that cannot be read."""
        wanted = _keys(dataset_ids)
        chosen = await self._settings(wanted, settings)
        made = await retrieval.retrieve(self._asker(), query, wanted, chosen)
        files = await db.run(self._attached, made.passages)
        items = knowledge_items.items(made.passages, retriever_from=self._retriever_from, files=files)
        self.found.extend(items)
        return items

    async def about(self, dataset_ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        return await db.run(self._about, _keys(dataset_ids))

    def remember(self, finished: Iterable[NodeFinished]) -> None:
        """What an earlier process found for the same run."""
        for event in finished:
            result = (event.outputs or {}).get("result") if event.node_type == NODE else None
            if isinstance(result, Sequence) and not isinstance(result, str):
                self.found.extend(item for item in result if isinstance(item, Mapping))

    def _asker(self) -> Asker:
        mine = self._principal
        role = "account" if mine.actor_kind is ActorKind.ACCOUNT else "end_user"
        return Asker(mine.tenant_id, self._may_ask(), QuerySource.APP, role, mine.actor_id, mine.app_id)

    def _may_ask(self) -> DatasetRows:
        mine = self._principal
        saved = Q(pk__in=Dataset.objects.filter(uses__app_id=mine.app_id).values("pk")) if mine.app_id else Q(pk__in=())
        if mine.tier is Tier.CONSOLE and mine.actor_kind is ActorKind.ACCOUNT:
            saved |= Q(pk__in=access.visible_to(mine).values("pk"))
        return Dataset.objects.for_tenant(mine.tenant_id).filter(saved)

    async def _settings(self, wanted: Sequence[UUID], node: Mapping[str, Any]) -> Settings:
        """One dataset that a model chose is searched as the dataset says, several as the node says."""
        conditions = node.get("metadata_filtering_conditions")
        if node.get("retrieval_mode") == "single" and len(wanted) == 1:
            given = await db.run(self._own_model, wanted[0])
        else:
            given = node.get("multiple_retrieval_config") or {}
        return retrieval_settings.parse({**given, "metadata_filtering_conditions": conditions})

    def _own_model(self, key: UUID) -> Mapping[str, Any]:
        row = self._may_ask().filter(pk=key).only("retrieval_model").first()
        return row.retrieval_model if row is not None and isinstance(row.retrieval_model, Mapping) else {}

    def _about(self, wanted: Sequence[UUID]) -> list[dict[str, Any]]:
        rows = {row.pk: row for row in self._may_ask().filter(pk__in=wanted)}
        fields: dict[UUID, list[dict[str, str]]] = {key: [] for key in rows}
        for field in MetadataField.objects.filter(dataset_id__in=rows).order_by("created_at", "pk"):
            fields[field.dataset_id].append({"name": field.name, "type": field.type})
        return [
            {
                "id": str(key),
                "name": rows[key].name,
                "description": rows[key].description,
                "fields": [*fields[key], *(_built_in() if rows[key].built_in_field_enabled else ())],
            }
            for key in dict.fromkeys(wanted)
            if key in rows
        ]

    def _attached(self, passages: Sequence[Passage]) -> Mapping[str, Mapping[str, Any]]:
        """Files that passages carry, by their ids; the run's models may be shown them."""
        wanted = {key for one in passages if one.segment is not None for key in one.segment.attachments}
        if not wanted:
            return {}
        rows = UploadFile.objects.for_tenant(self._principal.tenant_id).filter(pk__in=wanted)
        for row in rows:
            if self._files is not None:
                self._files.remember(row)
        return {str(row.pk): given_files.value_of(row) for row in rows}


def _built_in() -> list[dict[str, str]]:
    return [{"name": name, "type": str(kind)} for name, kind in BUILT_IN.items()]


def _keys(given: Iterable[str]) -> list[UUID]:
    return [key for one in given if (key := ids.parse(one)) is not None]
