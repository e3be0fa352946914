"""The installation itself: whether somebody set it up, and the one set-up there is."""

from __future__ import annotations

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.crypto import constant_time_compare

from accounts.models import Account, Instance, Tenant
from accounts.services import accounts, tenants
from difyproj.infra.cache import Cached
from difyproj.kernel import clock
from difyproj.kernel.errors import DomainError, Forbidden, Unauthorized


class AlreadySetup(Forbidden):
    code = "already_setup"
    default_message = "The instance has been set up already. Please sign in."


class NotSetup(Unauthorized):
    code = "not_setup"
    default_message = "The instance has not been set up yet. Please set it up first."


class NotInitValidated(Unauthorized):
    code = "not_init_validated"
    default_message = "The initialization password has not been validated yet."


class InitValidateFailed(DomainError):
    code, status = "init_validate_failed", 401
    default_message = "The initialization password is wrong."


_set_up: Cached[bool] = Cached("instance", ttl=60.0, max_entries=1)


def is_set_up() -> bool:
    """Whether there is a tenant, however it was made; remembered once it is true."""
    if _set_up.get(None, _has_tenant):
        return True
    _set_up.clear()
    return _has_tenant()


def _has_tenant() -> bool:
    return Tenant.objects.exists()


def demand_setup() -> None:
    if not is_set_up():
        raise NotSetup


def demand_init(validated: bool) -> None:
    """Raises NotInitValidated where the operator chose INIT_PASSWORD and the caller has not shown it."""
    if settings.INIT_PASSWORD and not validated:
        raise NotInitValidated


def check_init_password(password: str) -> None:
    """Raises InitValidateFailed. Without INIT_PASSWORD every password passes, as nothing is protected by it."""
    if settings.INIT_PASSWORD and not constant_time_compare(password, settings.INIT_PASSWORD):
        raise InitValidateFailed


@transaction.atomic
def set_up(*, email: str, name: str, password: str, language: str = "en-US") -> Account:
    """The first owner, who is the operator too, and the first tenant. One wins, whoever comes later gets AlreadySetup."""
    if _has_tenant():
        raise AlreadySetup
    try:
        with transaction.atomic():
            Instance.objects.create(setup_at=clock.now())
    except IntegrityError as error:
        raise AlreadySetup from error
    owner = accounts.create(
        email=email, name=name, password=password, is_staff=True, is_superuser=True, interface_language=language
    )
    tenants.create(name=f"{owner.name}'s Workspace", owner=owner)
    return owner


def setup_at() -> str | None:
    """When, in ISO 8601; an instance that was made without the set-up counts from its first tenant."""
    moment = Instance.objects.values_list("setup_at", flat=True).first() or (
        Tenant.objects.order_by("created_at").values_list("created_at", flat=True).first()
    )
    return moment.isoformat() if moment else None
