"""GET /models: the app behind the key and, where the workspace has one, its model for embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.services import apps
from difyproj.kernel import clock

from . import records
from .base import ModelNotFound, OpenAIViewSet


class Models(OpenAIViewSet):
    @extend_schema(operation_id="listModels", responses=records.ModelList)
    def list(self, request: Request) -> Response:
        return Response({"object": "list", "data": self.models()})

    @extend_schema(operation_id="retrieveModel", responses=records.ModelRecord)
    def retrieve(self, request: Request, model_id: str) -> Response:
        found = next((model for model in self.models() if model["id"] == model_id), None)
        if found is None:
            raise ModelNotFound
        return Response(found)

    def models(self) -> Sequence[dict[str, Any]]:
        names = dict.fromkeys(filter(None, (apps.model_name(self.app), generation.embedding_model(self.app))))
        created = clock.epoch(self.app.created_at)
        return [{"id": name, "object": "model", "created": created, "owned_by": "workspace"} for name in names]
