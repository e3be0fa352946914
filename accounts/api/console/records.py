"""What the Console API tells of accounts, workspaces and members."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import MomentField
from accounts.models import Account, AccountStatus, Membership
from apps.services import avatars
from difyproj.kernel import clock


class AccountRecord(serializers.ModelSerializer[Account]):
    is_password_set = serializers.BooleanField(source="has_usable_password")
    avatar_url = serializers.SerializerMethodField()
    last_login_at = MomentField(source="last_login", allow_null=True)
    created_at = MomentField()

    class Meta:
        model = Account
        fields = (
            "id", "name", "avatar", "avatar_url", "email", "is_password_set", "interface_language", "interface_theme",
            "timezone", "last_login_at", "last_login_ip", "created_at",
        )  # fmt: skip

    def get_avatar_url(self, account: Account) -> str | None:
        return avatars.url_of(account)


class SessionRecord(serializers.Serializer[Any]):
    """``current`` marks the session that asks."""

    id = serializers.UUIDField()
    scope = serializers.CharField()
    method = serializers.CharField()
    ip = serializers.CharField(allow_null=True)
    user_agent = serializers.CharField()
    current = serializers.SerializerMethodField()
    created_at = MomentField()
    last_used_at = MomentField(allow_null=True)
    expires_at = MomentField()

    def get_current(self, session: Any) -> bool:
        return bool(session.pk == self.context.get("current"))


class WorkspaceRecord(serializers.ModelSerializer[Membership]):
    """A line of the list of workspaces, out of the account's membership."""

    id = serializers.UUIDField(source="tenant_id")
    name = serializers.CharField(source="tenant.name")
    plan = serializers.CharField(source="tenant.plan")
    status = serializers.CharField(source="tenant.status")
    created_at = MomentField(source="tenant.created_at")

    class Meta:
        model = Membership
        fields = ("id", "name", "plan", "status", "created_at", "current")


class TenantRecord(WorkspaceRecord):
    """The workspace that the account works in. Nothing here is on trial."""

    in_trial = serializers.BooleanField(default=False)
    trial_end_reason = serializers.CharField(default=None, allow_null=True)
    custom_config = serializers.SerializerMethodField()

    class Meta:
        model = Membership
        fields = ("id", "name", "plan", "status", "created_at", "role", "in_trial", "trial_end_reason", "custom_config")

    def to_representation(self, instance: Membership) -> dict[str, Any]:
        return {**super().to_representation(instance), "in_trial": False, "trial_end_reason": None}

    def get_custom_config(self, membership: Membership) -> dict[str, Any]:
        config = membership.tenant.custom_config
        return {
            "remove_webapp_brand": bool(config.get("remove_webapp_brand", False)),
            "replace_webapp_logo": config.get("replace_webapp_logo") or None,
        }


class RoleRecord(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()


class MemberRecord(serializers.ModelSerializer[Membership]):
    """Until somebody has accepted, a workspace sees of them what it wrote itself, whether or not they have an account."""

    id = serializers.UUIDField(source="account_id")
    name = serializers.CharField(source="account.name")
    avatar = serializers.CharField(source="account.avatar")
    avatar_url = serializers.SerializerMethodField()
    email = serializers.EmailField(source="account.email")
    last_login_at = MomentField(source="account.last_login", allow_null=True)
    last_active_at = MomentField(source="account.last_active_at", allow_null=True)
    roles = serializers.SerializerMethodField()
    status = serializers.CharField(source="account.status")
    created_at = MomentField(source="account.created_at")

    class Meta:
        model = Membership
        fields = (
            "id", "name", "avatar", "avatar_url", "email", "last_login_at", "last_active_at", "created_at", "role", "roles",
            "status",
        )  # fmt: skip

    def to_representation(self, instance: Membership) -> dict[str, Any]:
        told = super().to_representation(instance)
        if instance.accepted_at is not None:
            return told
        hidden = {"avatar": "", "avatar_url": None, "last_login_at": None, "last_active_at": None}
        shown = {"name": told["email"].partition("@")[0], "created_at": clock.epoch(instance.created_at)}
        return {**told, **hidden, **shown, "status": AccountStatus.PENDING.value}

    def get_avatar_url(self, membership: Membership) -> str | None:
        found: str | None = self.context["avatars"].get(membership.account_id)
        return found

    @extend_schema_field(RoleRecord(many=True))
    def get_roles(self, membership: Membership) -> list[dict[str, str]]:
        return [{"id": membership.role, "name": membership.role}]


class MembersRecord(serializers.Serializer[Any]):
    accounts = MemberRecord(many=True)
