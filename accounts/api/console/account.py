"""The account that is signed in: its profile, password, address, sign-in providers and end."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.sign_in import CodeFields, EmailFields, ResultRecord, SentRecord, ValidityRecord, sent
from accounts.models import Account
from accounts.services import account_closing, accounts, email_change, identities, profile, sessions
from apps.services import avatars
from difyproj.kernel.errors import Forbidden
from difyproj.tiers import cookies
from difyproj.tiers.console import ANY_MEMBER, ConsoleViewSet, OpenConsoleViewSet

from . import account_requests as requests
from .records import AccountRecord

SUCCESS = {"result": "success"}


class AccountViewSet(ConsoleViewSet):
    tag = "Account"

    def told(self, account: Account) -> Response:
        return Response(AccountRecord(account).data)


class Profile(AccountViewSet):
    needs = dict.fromkeys(
        ("retrieve", "rename", "avatar", "set_avatar", "language", "theme", "timezone", "integrates"), ANY_MEMBER
    )

    @extend_schema(operation_id="getAccountProfile", responses=AccountRecord)
    def retrieve(self, request: Request) -> Response:
        return self.told(self.account)

    @extend_schema(operation_id="renameAccount", request=requests.AccountNameFields, responses=AccountRecord)
    def rename(self, request: Request) -> Response:
        return self.told(profile.rename(self.account, **self.body(requests.AccountNameFields)))

    @extend_schema(operation_id="getAvatar", parameters=[requests.AvatarQuery], responses=requests.AvatarRecord)
    def avatar(self, request: Request) -> Response:
        wanted = self.query(requests.AvatarQuery)["avatar"] or self.account.avatar
        return Response({"avatar_url": avatars.shown(self.principal, wanted)})

    @extend_schema(operation_id="setAvatar", request=requests.AvatarFields, responses=AccountRecord)
    def set_avatar(self, request: Request) -> Response:
        chosen = self.body(requests.AvatarFields)["avatar"]
        name = str(avatars.checked(self.principal, chosen).pk) if chosen else ""
        return self.told(profile.set_avatar(self.account, name))

    @extend_schema(operation_id="setInterfaceLanguage", request=requests.LanguageFields, responses=AccountRecord)
    def language(self, request: Request) -> Response:
        return self.told(profile.set_language(self.account, self.body(requests.LanguageFields)["interface_language"]))

    @extend_schema(operation_id="setInterfaceTheme", request=requests.ThemeFields, responses=AccountRecord)
    def theme(self, request: Request) -> Response:
        return self.told(profile.set_theme(self.account, self.body(requests.ThemeFields)["interface_theme"]))

    @extend_schema(operation_id="setTimezone", request=requests.TimezoneFields, responses=AccountRecord)
    def timezone(self, request: Request) -> Response:
        return self.told(profile.set_timezone(self.account, self.body(requests.TimezoneFields)["timezone"]))

    @extend_schema(operation_id="listIntegrates", responses=requests.IntegratesRecord)
    def integrates(self, request: Request) -> Response:
        return Response(requests.IntegratesRecord({"data": identities.of(self.account)}).data)


class Password(AccountViewSet):
    needs = {"create": ANY_MEMBER}

    @extend_schema(operation_id="changePassword", request=requests.ChangePasswordFields, responses=ResultRecord)
    def create(self, request: Request) -> Response:
        """Every session ends; this client goes on with a new one, whose tokens are its cookies."""
        changed = accounts.change_password(account=self.account, **self.body(requests.ChangePasswordFields))
        response = Response(SUCCESS)
        cookies.set_console(response, sessions.open(changed, method="password", ip=self.ip, agent=self.agent))
        return response


class Initialization(AccountViewSet):
    needs = {"create": ANY_MEMBER}
    before_initialization = True

    @extend_schema(operation_id="initAccount", request=requests.AccountInitFields, responses=ResultRecord)
    def create(self, request: Request) -> Response:
        fields = self.body(requests.AccountInitFields)
        profile.initialize(self.account, language=fields["interface_language"], timezone=fields["timezone"])
        return Response(SUCCESS)


class EmailChange(AccountViewSet):
    needs = dict.fromkeys(("send", "check", "reset"), ANY_MEMBER)

    @extend_schema(operation_id="sendEmailChangeCode", request=requests.ChangeEmailFields, responses=SentRecord)
    def send(self, request: Request) -> Response:
        asked = self.body(requests.ChangeEmailFields)
        to = {"email": asked["email"], "language": asked["language"] or self.account.interface_language, "ip": self.ip}
        if asked["phase"] == email_change.NEW:
            token = email_change.send_to_new(self.account, proof=asked["token"], **to)
        else:
            token = email_change.send_to_old(self.account, **to)
        return sent(token)

    @extend_schema(operation_id="checkEmailChangeCode", request=CodeFields, responses=ValidityRecord)
    def check(self, request: Request) -> Response:
        fields = self.body(CodeFields)
        return Response({"is_valid": True, "email": fields["email"], "token": email_change.check(self.account, **fields)})

    @extend_schema(operation_id="changeEmail", request=requests.NewEmailFields, responses=AccountRecord)
    def reset(self, request: Request) -> Response:
        """Every session ends; this client goes on with a new one, whose tokens are its cookies."""
        fields = self.body(requests.NewEmailFields)
        changed = email_change.finish(self.account, email=fields["new_email"], proof=fields["token"])
        response = self.told(changed)
        cookies.set_console(response, sessions.open(changed, method="email_change", ip=self.ip, agent=self.agent))
        return response


class FreeEmail(AccountViewSet):
    needs = {"create": ANY_MEMBER}

    @extend_schema(operation_id="checkEmailUnique", request=EmailFields, responses=ResultRecord)
    def create(self, request: Request) -> Response:
        email_change.check_free(self.account, self.body(EmailFields)["email"])
        return Response(SUCCESS)


class Deletion(AccountViewSet):
    needs = dict.fromkeys(("verify", "create"), ANY_MEMBER)

    @extend_schema(operation_id="sendAccountDeletionCode", responses=SentRecord)
    def verify(self, request: Request) -> Response:
        return sent(account_closing.send(self.account, ip=self.ip))

    @extend_schema(operation_id="deleteAccount", request=requests.DeletionFields, responses=ResultRecord)
    def create(self, request: Request) -> Response:
        account_closing.finish(self.account, **self.body(requests.DeletionFields))
        response = Response(SUCCESS)
        cookies.clear_console(response)
        return response


class DeletionFeedback(OpenConsoleViewSet):
    tag = "Account"

    @extend_schema(operation_id="sendAccountDeletionFeedback", request=requests.ClosingFeedbackFields, responses=ResultRecord)
    def create(self, request: Request) -> Response:
        account_closing.note_feedback(ip=self.ip, **self.body(requests.ClosingFeedbackFields))
        return Response(SUCCESS)


class Education(AccountViewSet):
    """A benefit of Dify's cloud; here it is off."""

    needs = dict.fromkeys(("retrieve", "activate", "verify", "autocomplete"), ANY_MEMBER)

    @extend_schema(operation_id="getEducation", responses=requests.EducationStateRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"result": False, "is_student": False, "expire_at": None, "allow_refresh": False})

    @extend_schema(operation_id="activateEducation", request=None, responses=ResultRecord)
    def activate(self, request: Request) -> Response:
        raise Forbidden("Education plans are a service of Dify's cloud.")

    @extend_schema(operation_id="verifyEducation", responses=ResultRecord)
    def verify(self, request: Request) -> Response:
        raise Forbidden("Education plans are a service of Dify's cloud.")

    @extend_schema(operation_id="listSchools", responses=requests.SchoolsRecord)
    def autocomplete(self, request: Request) -> Response:
        found: dict[str, Any] = {"data": [], "curr_page": 0, "has_next": False}
        return Response(found)


routes = [
    path("account/profile", Profile.as_view({"get": "retrieve"})),
    path("account/name", Profile.as_view({"post": "rename"})),
    path("account/avatar", Profile.as_view({"get": "avatar", "post": "set_avatar"})),
    path("account/interface-language", Profile.as_view({"post": "language"})),
    path("account/interface-theme", Profile.as_view({"post": "theme"})),
    path("account/timezone", Profile.as_view({"post": "timezone"})),
    path("account/integrates", Profile.as_view({"get": "integrates"})),
    path("account/password", Password.as_view({"post": "create"})),
    path("account/init", Initialization.as_view({"post": "create"})),
    path("account/change-email", EmailChange.as_view({"post": "send"})),
    path("account/change-email/validity", EmailChange.as_view({"post": "check"})),
    path("account/change-email/reset", EmailChange.as_view({"post": "reset"})),
    path("account/change-email/check-email-unique", FreeEmail.as_view({"post": "create"})),
    path("account/delete/verify", Deletion.as_view({"get": "verify"})),
    path("account/delete", Deletion.as_view({"post": "create"})),
    path("account/delete/feedback", DeletionFeedback.as_view({"post": "create"})),
    path("account/education", Education.as_view({"get": "retrieve", "post": "activate"})),
    path("account/education/verify", Education.as_view({"get": "verify"})),
    path("account/education/autocomplete", Education.as_view({"get": "autocomplete"})),
]
