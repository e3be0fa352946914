"""The Console API's base: an account that is signed in, the tenant it works in, and what its role may do there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.models import Account, AccountStatus, Membership, Tenant
from accounts.services import instance, members, sessions, tenants
from accounts.services.sessions import Caller
from apps.models import App
from apps.services import apps
from difyproj.kernel import logs
from difyproj.kernel.errors import DomainError, Forbidden, Unauthorized
from difyproj.kernel.principal import Principal

from . import cookies, cors
from .authentication import bearer
from .base import TierViewSet
from .schema import ConsoleSchema

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
ANY_MEMBER = ""


class AccountNotInitialized(DomainError):
    code = "account_not_initialized"
    default_message = "The account has not been initialized yet. Please proceed with the initialization process first."


@dataclass(frozen=True, slots=True)
class Login:
    """Behind ``request.auth``: the session, and the membership it works in."""

    caller: Caller
    membership: Membership


class ConsoleAuthentication(BaseAuthentication):
    """The access token, as Bearer or as the cookie; a cookie must be joined by the CSRF header on every write.

    ``beacons`` also lets in what a page sends while it is left, which carries no header of its own: the browser's word for the
    page's origin stands in for it.
    """

    def __init__(self, *, beacons: bool = False) -> None:
        self._beacons = beacons

    def authenticate(self, request: Request) -> tuple[Principal, Login]:
        instance.demand_setup()
        header, cookie = request.headers.get("Authorization"), cookies.read(request, cookies.ACCESS)
        caller = sessions.authenticate(bearer(header) if header or not cookie else cookie)
        if not header and request.method not in SAFE_METHODS:
            self._demand_intent(request, caller)
        membership = members.chosen(caller.account_id)
        return tenants.principal(membership), Login(caller, membership)

    def _demand_intent(self, request: Request, caller: Caller) -> None:
        told = request.headers
        if not (self._beacons and cors.is_console_page(told.get("Origin", ""), told.get("Host", ""))):
            demand_csrf(request, caller)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def demand_csrf(request: Request, caller: Caller) -> None:
    """Raises Unauthorized unless the header repeats the cookie and both were made for this account."""
    given = request.headers.get(cookies.HEADER_CSRF, "")
    if not given or given != cookies.read(request, cookies.CSRF) or not sessions.csrf_is_valid(given, caller.account_id):
        raise Unauthorized("CSRF token is missing or invalid.")


class OpenConsoleViewSet(TierViewSet):
    """Console routes for callers who are not signed in."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    schema = ConsoleSchema()

    @property
    def ip(self) -> str | None:
        log = getattr(self.request._request, "access_log", None)
        return log.ip_address or None if log is not None else None

    @property
    def agent(self) -> str:
        return self.request.headers.get("User-Agent", "")


class ConsoleViewSet(OpenConsoleViewSet):
    """``needs`` names the capability of each action (``accounts.policies``), ``ANY_MEMBER`` where every role may.

    An action without an entry is refused to everybody, and a test finds it. ``without_workspace`` names the actions for those
    whose workspace was archived, too.
    """

    authentication_classes = (ConsoleAuthentication,)
    needs: ClassVar[Mapping[str, str]] = {}
    before_initialization: ClassVar[bool] = False
    without_workspace: ClassVar[frozenset[str]] = frozenset()

    @property
    def principal(self) -> Principal:
        principal: Principal = self.request.user  # type: ignore[assignment]
        return principal

    @property
    def login(self) -> Login:
        login: Login = self.request.auth  # type: ignore[assignment]
        return login

    @property
    def account(self) -> Account:
        """The caller's account as remembered: services that change it fetch it anew."""
        return self.login.membership.account

    @property
    def tenant(self) -> Tenant:
        return self.login.membership.tenant

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        logs.set_context(user_id=str(self.principal.actor_id))
        if self.account.status == AccountStatus.UNINITIALIZED and not self.before_initialization:
            raise AccountNotInitialized
        if not self.action:
            return  # no action for this method: the caller learns that next
        if not members.is_open(self.login.membership) and self.action not in self.without_workspace:
            raise members.NoTenant
        capability = self.needs.get(self.action)
        if capability is None or (capability != ANY_MEMBER and not self.principal.can(capability)):
            raise Forbidden

    def app(self, app_id: str) -> App:
        """The tenant's app of this id. Raises AppNotFound."""
        found = apps.get(self.principal, app_id)
        logs.set_context(app_id=str(found.pk))
        return found

    def principal_for(self, app: App) -> Principal:
        """The caller as the one who asks ``app``, in a debug run."""
        mine = self.principal
        return Principal(mine.tenant_id, mine.actor_kind, mine.actor_id, mine.tier, app.pk, mine.capabilities)

    def still_allowed(self) -> Callable[[], bool]:
        """A check for open streams: the session goes on, and the role in the tenant is what it was."""
        return partial(_still_allowed, self.login.caller, self.principal)


def _still_allowed(caller: Caller, principal: Principal) -> bool:
    try:
        return sessions.is_alive(caller.session_id, caller.account_id) and (
            tenants.principal(members.current(caller.account_id)) == principal
        )
    except DomainError:
        return False
