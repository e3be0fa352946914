"""The accounts app: who may use the instance, and with which model credentials."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts and tenants"

    def ready(self) -> None:
        """Every process forgets what it remembers of rows that change, and notes who changed them."""
        from allauth.mfa.models import Authenticator
        from allauth.socialaccount.models import SocialAccount

        from accounts import models
        from accounts.services import members, model_access, sessions
        from difyproj.infra import audit

        self.watchers = (members, model_access, sessions)
        audit.watch(
            [
                models.Account,
                models.DefaultModel,
                models.Membership,
                models.ModelCredential,
                models.ModelSetting,
                models.Session,
                models.Tag,
                models.TagBinding,
                models.Tenant,
                Authenticator,
                SocialAccount,
            ]
        )
