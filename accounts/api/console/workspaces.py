"""The workspaces of the account that is signed in, and the one it works in."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.sign_in import ResultRecord
from accounts.models import Membership
from accounts.services import workspaces
from difyproj.kernel.errors import Forbidden
from difyproj.tiers.console import ANY_MEMBER, ConsoleViewSet

from .records import TenantRecord, WorkspaceRecord


class WorkspacesRecord(serializers.Serializer[Any]):
    workspaces = WorkspaceRecord(many=True)


class WorkspaceNameFields(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=workspaces.LONGEST_NAME)


class SwitchFields(serializers.Serializer[Any]):
    tenant_id = serializers.CharField(max_length=64)


class SwitchedRecord(ResultRecord):
    new_tenant = TenantRecord()


class ChangedRecord(ResultRecord):
    tenant = TenantRecord()


class CustomConfigFields(serializers.Serializer[Any]):
    remove_webapp_brand = serializers.BooleanField(required=False, allow_null=True)
    replace_webapp_logo = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)


class WorkspacePermissionRecord(serializers.Serializer[Any]):
    workspace_id = serializers.UUIDField()
    allow_member_invite = serializers.BooleanField()
    allow_owner_transfer = serializers.BooleanField()


class Workspaces(ConsoleViewSet):
    tag = "Workspaces"
    needs = {
        "list": ANY_MEMBER,
        "create": ANY_MEMBER,
        "switch": ANY_MEMBER,
        "current": ANY_MEMBER,
        "permission": ANY_MEMBER,
        "rename": "tenant.update",
        "customize": "tenant.update",
        "upload_logo": "tenant.update",
    }
    without_workspace = frozenset({"list", "create", "switch"})

    @extend_schema(operation_id="listWorkspaces", responses=WorkspacesRecord)
    def list(self, request: Request) -> Response:
        return Response({"workspaces": WorkspaceRecord(workspaces.of(self.account), many=True).data})

    @extend_schema(operation_id="createWorkspace", request=WorkspaceNameFields, responses={201: ChangedRecord})
    def create(self, request: Request) -> Response:
        """Ours, for instances whose operator allows it. The account works in the new workspace from now on."""
        return _changed("tenant", workspaces.open_own(self.account, **self.body(WorkspaceNameFields)), status=201)

    @extend_schema(operation_id="switchWorkspace", request=SwitchFields, responses=SwitchedRecord)
    def switch(self, request: Request) -> Response:
        return _changed("new_tenant", workspaces.switch(self.account, **self.body(SwitchFields)))

    @extend_schema(operation_id="readCurrentWorkspace", methods=["GET"], responses=TenantRecord)
    @extend_schema(operation_id="getCurrentWorkspace", methods=["POST"], request=None, responses=TenantRecord)
    def current(self, request: Request) -> Response:
        return Response(TenantRecord(self.login.membership).data)

    @extend_schema(operation_id="renameWorkspace", request=WorkspaceNameFields, responses=ChangedRecord)
    def rename(self, request: Request) -> Response:
        renamed = workspaces.rename(self.tenant, **self.body(WorkspaceNameFields))
        return _changed("tenant", workspaces.membership_in(renamed, self.account))

    @extend_schema(operation_id="customizeWorkspace", request=CustomConfigFields, responses=ChangedRecord)
    def customize(self, request: Request) -> Response:
        raise Forbidden("Branding is not part of this edition.")

    @extend_schema(operation_id="uploadWorkspaceLogo", request=None, responses={201: ResultRecord})
    def upload_logo(self, request: Request) -> Response:
        raise Forbidden("Branding is not part of this edition.")

    @extend_schema(operation_id="getWorkspacePermission", responses=WorkspacePermissionRecord)
    def permission(self, request: Request) -> Response:
        mine = self.principal
        return Response(
            {
                "workspace_id": str(mine.tenant_id),
                "allow_member_invite": mine.can("member.manage"),
                "allow_owner_transfer": mine.can("tenant.transfer"),
            }
        )


def _changed(name: str, membership: Membership, *, status: int = 200) -> Response:
    return Response({"result": "success", name: TenantRecord(membership).data}, status=status)


routes = [
    path("workspaces", Workspaces.as_view({"get": "list", "post": "create"})),
    path("workspaces/current", Workspaces.as_view({"get": "current", "post": "current"})),
    path("workspaces/switch", Workspaces.as_view({"post": "switch"})),
    path("workspaces/info", Workspaces.as_view({"post": "rename"})),
    path("workspaces/custom-config", Workspaces.as_view({"post": "customize"})),
    path("workspaces/custom-config/webapp-logo/upload", Workspaces.as_view({"post": "upload_logo"})),
    path("workspaces/current/permission", Workspaces.as_view({"get": "permission"})),
]
