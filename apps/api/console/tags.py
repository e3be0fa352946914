"""Tags and what carries them."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Tag, TagType
from accounts.services import tags
from apps.services import tags as bindings
from difyproj.tiers.console import ConsoleViewSet

from ..records import SUCCESS, ResultRecord

MOST_AT_ONCE = 100


class TagQuery(serializers.Serializer[Any]):
    type = serializers.ChoiceField(TagType.values, required=False, allow_blank=True, default="")
    keyword = serializers.CharField(max_length=50, required=False, allow_blank=True, default="")


class TagNameFields(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=50)


class NewTagFields(TagNameFields):
    type = serializers.ChoiceField(TagType.values)


class BindingFields(serializers.Serializer[Any]):
    tag_ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=MOST_AT_ONCE)
    target_id = serializers.UUIDField()
    type = serializers.ChoiceField(TagType.values)


class UnbindingFields(BindingFields):
    """Older clients name one tag."""

    tag_ids = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_AT_ONCE, required=False)
    tag_id = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        one = attrs.pop("tag_id", None)
        attrs["tag_ids"] = [*attrs.get("tag_ids", ()), *([one] if one else [])]
        if not attrs["tag_ids"]:
            raise serializers.ValidationError({"tag_ids": "This field is required."})
        return attrs


class CountedTagRecord(serializers.ModelSerializer[Tag]):
    """``binding_count`` is a text, as the reference server writes it."""

    binding_count = serializers.SerializerMethodField()

    class Meta:
        model = Tag
        fields = ("id", "name", "type", "binding_count")
        read_only_fields = fields

    def get_binding_count(self, row: Tag) -> str:
        return str(getattr(row, "bound", 0))


class Tags(ConsoleViewSet):
    tag = "Tags"
    needs = {"list": "tenant.view", "create": "dataset.edit", "update": "dataset.edit", "destroy": "dataset.edit"}

    @extend_schema(operation_id="listTags", parameters=[TagQuery], responses=CountedTagRecord(many=True))
    def list(self, request: Request) -> Response:
        return Response(CountedTagRecord(tags.rows(self.principal, **self.query(TagQuery)), many=True).data)

    @extend_schema(operation_id="createTag", request=NewTagFields, responses=CountedTagRecord)
    def create(self, request: Request) -> Response:
        row = tags.create(principal=self.principal, created_by=self.account, **self.body(NewTagFields))
        return Response(CountedTagRecord(row).data)

    @extend_schema(operation_id="renameTag", request=TagNameFields, responses=CountedTagRecord)
    def update(self, request: Request, tag_id: str) -> Response:
        found = tags.get(self.principal, tag_id)
        row = tags.rename(principal=self.principal, tag=found, name=self.body(TagNameFields)["name"])
        return Response(CountedTagRecord(row).data)

    @extend_schema(operation_id="deleteTag", request=None, responses={204: None})
    def destroy(self, request: Request, tag_id: str) -> Response:
        tags.delete(principal=self.principal, tag=tags.get(self.principal, tag_id))
        return Response(status=204)


class TagBindings(ConsoleViewSet):
    tag = "Tags"
    needs = {"create": "dataset.edit", "remove": "dataset.edit"}

    @extend_schema(operation_id="bindTags", request=BindingFields, responses=ResultRecord)
    def create(self, request: Request) -> Response:
        bindings.bind(principal=self.principal, **self.body(BindingFields))
        return Response(SUCCESS)

    @extend_schema(operation_id="unbindTags", request=UnbindingFields, responses=ResultRecord)
    def remove(self, request: Request) -> Response:
        bindings.unbind(principal=self.principal, **self.body(UnbindingFields))
        return Response(SUCCESS)


routes = [
    path("tags", Tags.as_view({"get": "list", "post": "create"})),
    path("tags/<str:tag_id>", Tags.as_view({"patch": "update", "delete": "destroy"})),
    path("tag-bindings", TagBindings.as_view({"post": "create"})),
    path("tag-bindings/remove", TagBindings.as_view({"post": "remove"})),
]
