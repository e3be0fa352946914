"""Tags of datasets."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Tag, TagType
from accounts.services import tags
from datasets.services import tags as bindings
from difyproj.tiers.datasets import DatasetViewSet
from difyproj.tiers.schema import ListSchema
from difyproj.tiers.shapes import Shape

from .. import dataset_requests as requests


class CountedTagRecord(serializers.ModelSerializer[Tag]):
    """``binding_count`` is a text, as the reference server writes it."""

    binding_count = serializers.SerializerMethodField()

    class Meta:
        model = Tag
        fields = ("id", "name", "type", "binding_count")
        read_only_fields = fields

    def get_binding_count(self, row: Tag) -> str:
        return str(getattr(row, "bound", 0))


class NameRecord(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()


class CarriedTags(Shape):
    data = NameRecord(many=True)  # type: ignore[assignment]
    total = serializers.IntegerField()


class Tags(DatasetViewSet):
    """They are the workspace's: no dataset is asked for them."""

    tag = "Tags"
    counted = frozenset[str]()
    schema = ListSchema()

    @extend_schema(operation_id="getKnowledgeTags", responses=CountedTagRecord(many=True))
    def list(self, request: Request) -> Response:
        return Response(CountedTagRecord(tags.rows(self.owner, type=TagType.KNOWLEDGE), many=True).data)

    @extend_schema(operation_id="createKnowledgeTag", request=requests.TagNameFields, responses=CountedTagRecord)
    def create(self, request: Request) -> Response:
        name = self.body(requests.TagNameFields)["name"]
        return Response(CountedTagRecord(tags.create(principal=self.owner, type=TagType.KNOWLEDGE, name=name)).data)

    @extend_schema(operation_id="updateKnowledgeTag", request=requests.TagChangeFields, responses=CountedTagRecord)
    def update(self, request: Request) -> Response:
        fields = self.body(requests.TagChangeFields)
        row = tags.rename(principal=self.owner, tag=self._tag(fields), name=fields["name"])
        return Response(CountedTagRecord(row).data)

    @extend_schema(operation_id="deleteKnowledgeTag", request=requests.TagFields, responses={204: None})
    def destroy(self, request: Request) -> Response:
        tags.delete(principal=self.owner, tag=self._tag(self.body(requests.TagFields)))
        return Response(status=204)

    def _tag(self, fields: dict[str, Any]) -> Tag:
        """Tags of apps are not found here."""
        found = tags.get(self.owner, fields["tag_id"])
        if found.type != TagType.KNOWLEDGE:
            raise tags.TagNotFound
        return found


class TagBindings(DatasetViewSet):
    tag = "Tags"
    counted = frozenset[str]()

    @extend_schema(operation_id="bindTagsToDataset", request=requests.BindingFields, responses={204: None})
    def create(self, request: Request) -> Response:
        fields = self.body(requests.BindingFields)
        self.dataset(fields["target_id"])
        bindings.bind(principal=self.owner, **fields)
        return Response(status=204)

    @extend_schema(operation_id="unbindTagFromDataset", request=requests.UnbindingFields, responses={204: None})
    def remove(self, request: Request) -> Response:
        fields = self.body(requests.UnbindingFields)
        self.dataset(fields["target_id"])
        bindings.unbind(principal=self.owner, **fields)
        return Response(status=204)


class TagsOfDataset(DatasetViewSet):
    tag = "Tags"

    @extend_schema(operation_id="queryDatasetTags", responses=CarriedTags)
    def list(self, request: Request, dataset_id: str) -> Response:
        found = self.dataset(dataset_id)
        carried = bindings.of([found]).get(found.pk, [])
        return Response({"data": NameRecord(carried, many=True).data, "total": len(carried)})
