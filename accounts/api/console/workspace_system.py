"""Facts of the instance for those who are signed in: limits, notices, the workspaces there are, the editor's schemas."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.features import QuotaRecord, SwitchedQuotaRecord, SwitchRecord
from accounts.api.fields import MomentField
from accounts.api.sign_in import ResultRecord
from accounts.models import Tenant
from accounts.services import all_workspaces, features, schema_definitions
from apps.services import workspace_features
from difyproj.kernel.errors import NotFound
from difyproj.tiers.console import ANY_MEMBER, ConsoleViewSet

EVERYBODY = {"retrieve": ANY_MEMBER, "create": ANY_MEMBER}


class PageQuery(serializers.Serializer[Any]):
    page = serializers.IntegerField(min_value=1, max_value=99_999, required=False, default=1)
    limit = serializers.IntegerField(min_value=1, max_value=100, required=False, default=20)


class DismissFields(serializers.Serializer[Any]):
    notification_id = serializers.CharField(max_length=64)


class SubscriptionRecord(serializers.Serializer[Any]):
    plan = serializers.CharField()
    interval = serializers.CharField()


class BillingRecord(SwitchRecord):
    subscription = SubscriptionRecord()


class EducationRecord(SwitchRecord):
    activated = serializers.BooleanField()


class PublishRecord(serializers.Serializer[Any]):
    publish_enabled = serializers.BooleanField()


class FeaturesRecord(serializers.Serializer[Any]):
    billing = BillingRecord()
    education = EducationRecord()
    members = QuotaRecord()
    apps = QuotaRecord()
    vector_space = QuotaRecord()
    knowledge_rate_limit = serializers.IntegerField()
    annotation_quota_limit = QuotaRecord()
    documents_upload_quota = QuotaRecord()
    docs_processing = serializers.CharField()
    can_replace_logo = serializers.BooleanField()
    model_load_balancing_enabled = serializers.BooleanField()
    dataset_operator_enabled = serializers.BooleanField()
    webapp_copyright_enabled = serializers.BooleanField()
    workspace_members = SwitchedQuotaRecord()
    is_allow_transfer_workspace = serializers.BooleanField()
    knowledge_pipeline = PublishRecord()


class NotificationsRecord(serializers.Serializer[Any]):
    should_show = serializers.BooleanField()
    notifications = serializers.ListField(child=serializers.DictField())


class TrialModelsRecord(serializers.Serializer[Any]):
    trial_models = serializers.ListField(child=serializers.CharField())


class SchemaDefinitionRecord(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    schema = serializers.DictField()


class TenantLineRecord(serializers.ModelSerializer[Tenant]):
    created_at = MomentField()

    class Meta:
        model = Tenant
        fields = ("id", "name", "plan", "status", "created_at")


class TenantPageRecord(serializers.Serializer[Any]):
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = TenantLineRecord(many=True)  # type: ignore[assignment]


class SystemViewSet(ConsoleViewSet):
    tag = "System"
    needs = EVERYBODY


class Features(SystemViewSet):
    @extend_schema(operation_id="getFeatures", responses=FeaturesRecord)
    def retrieve(self, request: Request) -> Response:
        return Response(workspace_features.of(self.tenant))


class VectorSpace(SystemViewSet):
    @extend_schema(operation_id="getVectorSpace", responses=QuotaRecord)
    def retrieve(self, request: Request) -> Response:
        return Response(features.vector_space())


class SchemaDefinitions(SystemViewSet):
    @extend_schema(operation_id="getSchemaDefinitions", responses=SchemaDefinitionRecord(many=True))
    def retrieve(self, request: Request) -> Response:
        return Response(schema_definitions.DEFINITIONS)


class TrialModels(SystemViewSet):
    """Nobody hosts models for this instance, so none is on trial."""

    @extend_schema(operation_id="getTrialModels", responses=TrialModelsRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"trial_models": []})


class Notification(SystemViewSet):
    """Notices come from a cloud's operator; here nobody writes any, so none can be dismissed."""

    @extend_schema(operation_id="getNotification", responses=NotificationsRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"should_show": False, "notifications": []})

    @extend_schema(operation_id="dismissNotification", request=DismissFields, responses=ResultRecord)
    def create(self, request: Request) -> Response:
        self.body(DismissFields)
        raise NotFound("There is no such notice.")


class AllWorkspaces(SystemViewSet):
    @extend_schema(operation_id="listAllWorkspaces", parameters=[PageQuery], responses=TenantPageRecord)
    def retrieve(self, request: Request) -> Response:
        found = all_workspaces.page(self.account, **self.query(PageQuery))
        return Response(found.body(lambda rows: TenantLineRecord(rows, many=True).data))


routes = [
    path("features", Features.as_view({"get": "retrieve"})),
    path("features/vector-space", VectorSpace.as_view({"get": "retrieve"})),
    path("spec/schema-definitions", SchemaDefinitions.as_view({"get": "retrieve"})),
    path("trial-models", TrialModels.as_view({"get": "retrieve"})),
    path("notification", Notification.as_view({"get": "retrieve"})),
    path("notification/dismiss", Notification.as_view({"post": "create"})),
    path("all-workspaces", AllWorkspaces.as_view({"get": "retrieve"})),
]
