"""The models that a workspace may call, for who holds a dataset key."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.services import providers
from accounts.services.providers import ProviderModels
from difyproj.tiers.datasets import DatasetViewSet
from difyproj.tiers.shapes import Shape

from .. import model_records as records


class UsableModel(records.ModelRecord): ...


class ModelGroup(Shape):
    """As on the Console, without what only its pages show."""

    provider = serializers.CharField()
    label = records.TextRecord()  # type: ignore[assignment]
    icon_small = records.TextRecord()
    icon_small_dark = records.TextRecord()
    status = serializers.CharField()
    models = UsableModel(many=True)
    tenant_id = serializers.UUIDField()

    def to_representation(self, instance: ProviderModels) -> dict[str, Any]:
        whole = records.ModelGroup(instance).data
        return {str(name): whole[str(name)] for name in self.fields} | {"icon_small_dark": whole["icon_small"]}


class ModelGroupList(Shape):
    data = ModelGroup(many=True)  # type: ignore[assignment]


class UsableModels(DatasetViewSet):
    tag = "Models"

    @extend_schema(operation_id="getAvailableModels", responses=ModelGroupList)
    def list(self, request: Request, model_type: str) -> Response:
        found = providers.usable_models(self.owner, model_type)
        return Response({"data": ModelGroup(found, many=True).data})
