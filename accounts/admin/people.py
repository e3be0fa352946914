"""Tenants, accounts and memberships."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db.models import ManyToManyField, Model, QuerySet
from django.forms import ModelForm, ModelMultipleChoiceField
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from accounts.models import Account, Membership, Tenant
from accounts.policies import Role
from accounts.services import accounts, tenants
from difyproj.tiers.admin import ServiceAdmin, adopt

from .forms import AccountForm, MemberForm, NewAccountForm, NewTenantForm

POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Groups of staff permissions, in the admin's own look."""


@admin.register(Tenant)
class TenantAdmin(ServiceAdmin):
    list_display = ("name", "plan", "status", "created_at")
    list_filter = ("plan", "status")
    search_fields = ("name",)
    fields = ("name", "plan", "status", "custom_config")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm[Tenant]]:
        return super().get_form(request, obj, change, **(kwargs if change else {**kwargs, "form": NewTenantForm}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("name", "plan", "owner")

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            adopt(obj, tenants.create(name=obj.name, plan=obj.plan, owner=form.cleaned_data["owner"]))


@admin.register(Account)
class AccountAdmin(ServiceAdmin):
    list_display = ("email", "name", "status", "is_staff", "last_active_at")
    list_filter = ("status", "is_staff")
    search_fields = ("email", "name")
    filter_horizontal = ("groups", "user_permissions")
    readonly_fields = ("last_login", "last_login_ip", "last_active_at", "created_at")
    form = AccountForm
    fieldsets = (
        (None, {"fields": ("email", "name", "status", "new_password")}),
        ("Interface", {"fields": ("avatar", "interface_language", "interface_theme", "timezone")}),
        ("Powers in this admin", {"fields": POWERS}),
        ("Times", {"fields": readonly_fields}),
    )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm[Account]]:
        return super().get_form(request, obj, change, **(kwargs if change else {**kwargs, "form": NewAccountForm}))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else ((None, {"fields": ("email", "name", "password")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only a superuser hands out powers."""
        return self.readonly_fields if is_superuser(request) else (*self.readonly_fields, *POWERS)

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField[Any] | None:
        """A permission's name holds that of its content type: read them together."""
        if db_field.name == "user_permissions":
            kwargs["queryset"] = Permission.objects.select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        protected = obj is not None and obj.is_superuser and not is_superuser(request)
        return super().has_change_permission(request, obj) and not protected

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        if not change:
            password = form.cleaned_data["password"] or None
            adopt(obj, accounts.create(email=obj.email, name=obj.name, password=password))
            return
        super().save_model(request, obj, form, change)
        if "status" in form.changed_data:
            accounts.set_status(account=obj, status=obj.status)
        if "email" in form.changed_data:
            accounts.set_email(account=obj, email=obj.email)
        if form.cleaned_data["new_password"]:
            accounts.set_password(account=obj, password=form.cleaned_data["new_password"])


@admin.register(Membership)
class MembershipAdmin(ServiceAdmin):
    list_display = ("account", "tenant", "role", "current")
    list_filter = ("role",)
    search_fields = ("account__email", "tenant__name")
    list_select_related = ("account", "tenant")
    form = MemberForm
    actions = ("make_owner",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("tenant", "account") if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.role == Role.OWNER)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        allowed = request.user.has_perm("accounts.delete_membership")
        return allowed and isinstance(obj, Membership) and obj.role != Role.OWNER

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        if change:
            tenants.change_role(membership=obj, role=obj.role)
        else:
            inviter = acting(request)
            adopt(obj, tenants.add_member(tenant=obj.tenant, account=obj.account, role=obj.role, invited_by=inviter))

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        tenants.remove_member(membership=obj)

    @admin.action(description="Make this member the owner", permissions=["change"])
    def make_owner(self, request: HttpRequest, chosen: QuerySet[Membership]) -> None:
        if chosen.count() != 1:
            self.message_user(request, "Choose exactly one member.", messages.ERROR)
            return
        row = chosen.select_related("tenant", "account").get()
        tenants.transfer_ownership(tenant=row.tenant, to=row.account)
        self.message_user(request, f"{row.account} owns {row.tenant} now.")


def acting(request: HttpRequest) -> Account:
    """The account behind a request that the admin has let in."""
    if not isinstance(request.user, Account):
        raise PermissionDenied
    return request.user


def is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
