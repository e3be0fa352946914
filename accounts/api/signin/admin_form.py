"""The admin's own login: as many tries as elsewhere, and the second factor of those who have one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.services import accounts, second_factor, sign_in
from accounts.services.second_factor import SecondFactorRequired
from difyproj.kernel.errors import DomainError, TooManyRequests


class LoginForm(AuthenticationForm):
    """``asks_code`` shows the field, once the password was right and a code is missing."""

    code = forms.CharField(
        required=False,
        max_length=64,
        label="Code of your authenticator app",
        widget=UnfoldAdminTextInputWidget(attrs={"form": "login-form", "autocomplete": "one-time-code"}),
    )
    asks_code = False

    def clean(self) -> dict[str, Any]:
        self._count_try()
        cleaned: dict[str, Any] = super().clean()
        return cleaned

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        try:
            second_factor.demand(user, self.cleaned_data.get("code", ""))
        except SecondFactorRequired as error:
            self.asks_code = True
            raise ValidationError(f"{error.message} The password is needed again, too.") from error
        except DomainError as error:
            self.asks_code = True
            raise ValidationError(error.message) from error

    def _count_try(self) -> None:
        address = str(self.cleaned_data.get("username", ""))
        caller = self.request.META.get("REMOTE_ADDR") if self.request is not None else None
        try:
            sign_in.count_try(address, accounts.find(address), caller)
        except TooManyRequests as error:
            raise ValidationError(error.message) from error
