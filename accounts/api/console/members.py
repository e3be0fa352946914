"""The members of the workspace: who they are, invitations, roles, and a new owner."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.sign_in import ResultRecord, SentRecord, ValidityRecord, sent
from accounts.models import Membership
from accounts.policies import Role
from accounts.services import owner_transfer, roster
from apps.services import avatars
from difyproj.tiers.console import ConsoleViewSet

from .records import MemberRecord, MembersRecord

MOST_INVITED = 100


class InviteFields(serializers.Serializer[Any]):
    emails = serializers.ListField(child=serializers.CharField(max_length=255), min_length=1, max_length=MOST_INVITED)
    role = serializers.CharField(max_length=32)
    language = serializers.CharField(max_length=32, required=False, default="en-US", allow_null=True)


class InvitationResultRecord(serializers.Serializer[Any]):
    """``url`` for an invitation that was made, ``message`` for one that was not."""

    status = serializers.ChoiceField(["success", "failed"])
    email = serializers.CharField()
    url = serializers.CharField(required=False)
    message = serializers.CharField(required=False)


class InvitationsRecord(ResultRecord):
    invitation_results = InvitationResultRecord(many=True)
    tenant_id = serializers.UUIDField()


class RemovedRecord(ResultRecord):
    tenant_id = serializers.UUIDField()


class RoleFields(serializers.Serializer[Any]):
    role = serializers.CharField(max_length=32)


class TransferLanguageFields(serializers.Serializer[Any]):
    language = serializers.CharField(max_length=32, required=False, default="", allow_null=True)


class TransferCodeFields(serializers.Serializer[Any]):
    code = serializers.CharField(max_length=32)
    token = serializers.CharField(max_length=255)


class TransferFields(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=255)


class Members(ConsoleViewSet):
    tag = "Members"
    needs = {
        "list": "member.view",
        "dataset_operators": "member.view",
        "invite": "member.manage",
        "destroy": "member.manage",
        "update": "member.manage",
    }

    @extend_schema(operation_id="listMembers", responses=MembersRecord)
    def list(self, request: Request) -> Response:
        return _listed(roster.of(self.tenant))

    @extend_schema(operation_id="listDatasetOperators", responses=MembersRecord)
    def dataset_operators(self, request: Request) -> Response:
        return _listed(roster.of(self.tenant, Role.DATASET_OPERATOR))

    @extend_schema(operation_id="inviteMembers", request=InviteFields, responses={201: InvitationsRecord})
    def invite(self, request: Request) -> Response:
        fields = self.body(InviteFields)
        results = roster.invite(
            self.login.membership, emails=fields["emails"], role=fields["role"], language=fields["language"] or "en-US"
        )
        told = [_told(each) for each in results]
        body = {"result": "success", "invitation_results": told, "tenant_id": str(self.tenant.pk)}
        return Response(body, status=201)

    @extend_schema(operation_id="removeMember", request=None, responses={200: RemovedRecord})
    def destroy(self, request: Request, member_id: str) -> Response:
        roster.remove(self.login.membership, member_id=member_id)
        return Response({"result": "success", "tenant_id": str(self.tenant.pk)})

    @extend_schema(operation_id="changeMemberRole", request=RoleFields, responses=ResultRecord)
    def update(self, request: Request, member_id: str) -> Response:
        roster.change_role(self.login.membership, member_id=member_id, **self.body(RoleFields))
        return Response({"result": "success"})


class OwnerTransfer(ConsoleViewSet):
    """Everybody but the owner is told ``not_owner`` by the service."""

    tag = "Members"
    needs = dict.fromkeys(("send", "check", "create"), "member.view")

    @extend_schema(operation_id="sendOwnerTransferCode", request=TransferLanguageFields, responses=SentRecord)
    def send(self, request: Request) -> Response:
        language = self.body(TransferLanguageFields)["language"] or self.account.interface_language
        token = owner_transfer.send(self.account, self.tenant, language=language, ip=self.ip)
        return sent(token)

    @extend_schema(operation_id="checkOwnerTransferCode", request=TransferCodeFields, responses=ValidityRecord)
    def check(self, request: Request) -> Response:
        token = owner_transfer.check(self.account, self.tenant, **self.body(TransferCodeFields))
        return Response({"is_valid": True, "email": self.account.email, "token": token})

    @extend_schema(operation_id="transferOwnership", request=TransferFields, responses=ResultRecord)
    def create(self, request: Request, member_id: str) -> Response:
        owner_transfer.finish(self.account, self.tenant, to=member_id, proof=self.body(TransferFields)["token"])
        return Response({"result": "success"})


def _told(invited: roster.Invited) -> dict[str, str]:
    if invited.url:
        return {"status": "success", "email": invited.email, "url": invited.url}
    return {"status": "failed", "email": invited.email, "message": invited.message}


def _listed(rows: list[Membership]) -> Response:
    context = {"avatars": avatars.urls(row.account for row in rows)}
    return Response({"accounts": MemberRecord(rows, many=True, context=context).data})


PREFIX = "workspaces/current/members"
routes = [
    path(PREFIX, Members.as_view({"get": "list"})),
    path("workspaces/current/dataset-operators", Members.as_view({"get": "dataset_operators"})),
    path(f"{PREFIX}/invite-email", Members.as_view({"post": "invite"})),
    path(f"{PREFIX}/send-owner-transfer-confirm-email", OwnerTransfer.as_view({"post": "send"})),
    path(f"{PREFIX}/owner-transfer-check", OwnerTransfer.as_view({"post": "check"})),
    path(f"{PREFIX}/<str:member_id>", Members.as_view({"delete": "destroy"})),
    path(f"{PREFIX}/<str:member_id>/update-role", Members.as_view({"put": "update"})),
    path(f"{PREFIX}/<str:member_id>/owner-transfer", OwnerTransfer.as_view({"post": "create"})),
]
