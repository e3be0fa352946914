"""How people get in: sessions that can be ended, second factors and sign-in providers that can be taken away, challenges."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from accounts.models import Challenge, Session
from accounts.services import second_factor, sessions
from difyproj.tiers.admin import ReadOnlyAdmin

from .people import is_superuser

# allauth's own pages would show secrets, and two of these tables stay empty here.
for unwanted in (EmailAddress, SocialApp, SocialToken, SocialAccount, Authenticator):
    admin.site.unregister(unwanted)


class Removable(ReadOnlyAdmin):
    """To look at, and to remove by whoever may delete such rows; a superuser's are only for superusers."""

    person = "user"

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        protected = obj is not None and getattr(obj, self.person).is_superuser and not is_superuser(request)
        return not protected and request.user.has_perm(f"{self.opts.app_label}.delete_{self.opts.model_name}")


@admin.register(Session)
class SessionAdmin(Removable):
    person = "account"
    list_display = ("account", "scope", "method", "ip", "created_at", "last_used_at", "expires_at")
    list_filter = ("scope", "method")
    search_fields = ("account__email", "ip")
    list_select_related = ("account",)
    fields = ("account", "scope", "method", "ip", "user_agent", "created_at", "last_used_at", "expires_at")
    actions = ("revoke",)
    empty_text = "Whoever signs in to the console or to a published app has a session here."

    def delete_model(self, request: HttpRequest, obj: Session) -> None:
        sessions.close(obj.pk)

    @admin.action(description="End these sessions", permissions=["delete"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Session]) -> None:
        ended = [row.pk for row in chosen.select_related("account") if self.has_delete_permission(request, row)]
        for session_id in ended:
            sessions.close(session_id)
        self.message_user(request, f"{len(ended)} sessions ended.", messages.SUCCESS)


@admin.register(Authenticator)
class AuthenticatorAdmin(Removable):
    """Removing either of a person's two turns the second factor off altogether."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    search_fields = ("user__email",)
    list_select_related = ("user",)
    fields = ("user", "type", "created_at", "last_used_at")
    empty_text = "Nobody has turned a second factor on yet."

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        second_factor.take_away(obj.user)


@admin.register(SocialAccount)
class SocialAccountAdmin(Removable):
    list_display = ("user", "provider", "uid", "date_joined", "last_login")
    list_filter = ("provider",)
    search_fields = ("user__email", "uid")
    list_select_related = ("user",)
    fields = ("user", "provider", "uid", "date_joined", "last_login")
    empty_text = "Nobody has signed in with OpenID Connect, Google or GitHub yet."


@admin.register(Challenge)
class ChallengeAdmin(ReadOnlyAdmin):
    list_display = ("purpose", "email", "stage", "attempts", "created_at", "expires_at", "used_at")
    list_filter = ("purpose", "stage")
    search_fields = ("email",)
    fields = ("purpose", "stage", "email", "account", "data", "attempts", "created_at", "expires_at", "used_at")
    empty_text = "Codes and links that were sent by e-mail are listed here until they expire."
