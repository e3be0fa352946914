"""What the admin's pages of accounts ask for."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from accounts.models import Account, DefaultModel, Membership, ModelCredential, Tenant
from accounts.policies import Role
from difyproj.kernel import jsonio
from difyproj.model_runtime import catalogue

GRANTABLE = [(role.value, role.value) for role in Role if role is not Role.OWNER]


def providers() -> list[tuple[str, str]]:
    return [(name, catalogue.info(name).label) for name in catalogue.names()]


class NewTenantForm(forms.ModelForm):
    owner = forms.ModelChoiceField(Account.objects.all(), widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Tenant
        fields: ClassVar[list[str]] = ["name", "plan", "owner"]


class EmailForm(forms.ModelForm):
    def clean_email(self) -> str:
        return Account.objects.normalize_email(self.cleaned_data["email"])


class NewAccountForm(EmailForm):
    password = forms.CharField(widget=UnfoldAdminPasswordWidget, required=False, help_text="Empty: cannot sign in yet.")

    class Meta:
        model = Account
        fields: ClassVar[list[str]] = ["email", "name", "password"]


class AccountForm(EmailForm):
    new_password = forms.CharField(widget=UnfoldAdminPasswordWidget, required=False, help_text="Empty: stays as it is.")

    class Meta:
        model = Account
        fields: ClassVar[list[str]] = [
            "email",
            "name",
            "avatar",
            "interface_language",
            "interface_theme",
            "timezone",
            "status",
            "is_staff",
            "is_superuser",
            "groups",
            "user_permissions",
        ]


class MemberForm(forms.ModelForm):
    role = forms.ChoiceField(choices=GRANTABLE, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = ["tenant", "account", "role"]


class DefaultModelForm(forms.ModelForm):
    provider = forms.ChoiceField(choices=providers, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = DefaultModel
        fields: ClassVar[list[str]] = ["tenant", "model_type", "provider", "model"]


class SecretsField(forms.CharField):
    """A JSON object of texts that is written and never shown again."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> str:
        return ""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            values = jsonio.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict) or not all(isinstance(item, str) for item in values.values()):
            raise forms.ValidationError('This must be a JSON object of texts, like {"api_key": "..."}.')
        return values


class NewCredentialForm(forms.ModelForm):
    provider = forms.ChoiceField(choices=providers, widget=UnfoldAdminSelectWidget)
    secrets = SecretsField(help_text="The provider's fields as a JSON object. It is encrypted and not shown again.")

    class Meta:
        model = ModelCredential
        fields: ClassVar[list[str]] = ["tenant", "provider", "name", "model_type", "model", "secrets"]


class CredentialForm(forms.ModelForm):
    secrets = SecretsField(required=False, help_text="Empty: stays as it is. Otherwise the whole JSON object.")

    class Meta:
        model = ModelCredential
        fields: ClassVar[list[str]] = ["name", "enabled", "secrets"]
