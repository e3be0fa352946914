"""The installation itself: whether somebody set it up, and the one set-up there is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.crypto import constant_time_compare

from accounts.models import Account, Instance, Tenant
from accounts.services import accounts, tenants
from difyproj.infra import limits
from difyproj.infra.cache import Cached
from difyproj.kernel import clock
from difyproj.kernel.errors import DomainError, Forbidden, TooManyRequests, Unauthorized

INIT_SALT: Final = "accounts.init"
INIT_LIFE: Final = timedelta(minutes=30)
UNPROTECTED: Final = (
    "A production instance is set up with INIT_PASSWORD, which the operator has not chosen, or with manage.py createsuperuser."
)


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
    """Whether there is an operator or a tenant, however they were made; remembered once it is true."""
    if _set_up.get(None, _is_taken):
        return True
    _set_up.clear()
    return _is_taken()


def _is_taken() -> bool:
    return Tenant.objects.exists() or _operators().exists()


def _operators() -> QuerySet[Account]:
    return Account.objects.filter(is_superuser=True)


def demand_setup() -> None:
    """Raises NotSetup, or NotInitValidated where that is what comes first."""
    if not is_set_up():
        raise NotInitValidated if _asks_for_init() else NotSetup


def init_is_done(proof: str) -> bool:
    """Whether the caller may set the instance up, or somebody did."""
    return not _asks_for_init() or _is_init_proof(proof) or is_set_up()


def _asks_for_init() -> bool:
    """In production whoever comes first is not believed to be the operator: nobody sets up without INIT_PASSWORD."""
    return bool(settings.INIT_PASSWORD) or settings.PRODUCTION


def prove_init(password: str, *, ip: str | None) -> str:
    """The proof for ``set_up`` that its caller knows INIT_PASSWORD, good for half an hour.

    Without INIT_PASSWORD every password passes, as nothing is protected by it, but none in production. Raises AlreadySetup,
    InitValidateFailed.
    """
    if is_set_up():
        raise AlreadySetup
    where = limits.place(ip)
    usage = limits.count(group="init", key=where, rate=settings.SIGN_IN_IP_RATE, must=True) if where else None
    if usage is not None and usage.limited:
        raise TooManyRequests(retry_after=usage.reset_seconds)
    if settings.PRODUCTION and not settings.INIT_PASSWORD:
        raise InitValidateFailed(UNPROTECTED)
    if settings.INIT_PASSWORD and not constant_time_compare(password, settings.INIT_PASSWORD):
        raise InitValidateFailed
    return signing.dumps("validated", salt=INIT_SALT)


def _is_init_proof(proof: str) -> bool:
    try:
        return bool(signing.loads(proof, salt=INIT_SALT, max_age=INIT_LIFE) == "validated")
    except signing.BadSignature:
        return False


@transaction.atomic
def set_up(*, email: str, name: str, password: str, language: str = "en-US", proof: str = "") -> Account:
    """The first owner, who is the operator too, and the first tenant. One wins, whoever comes later gets AlreadySetup.

    ``proof`` is what ``prove_init`` gave. Raises NotInitValidated where it is asked for.
    """
    if _is_taken():
        raise AlreadySetup
    if not init_is_done(proof):
        raise NotInitValidated(None if settings.INIT_PASSWORD else UNPROTECTED)
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
    """When, in ISO 8601; an instance that was made without the set-up counts from its first tenant, or operator."""
    moment = Instance.objects.values_list("setup_at", flat=True).first() or _first(Tenant.objects.all()) or _first(_operators())
    return moment.isoformat() if moment else None


def _first(rows: QuerySet[Any]) -> datetime | None:
    return rows.order_by("created_at").values_list("created_at", flat=True).first()
