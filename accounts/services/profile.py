"""What an account says of itself: its name, its picture, and how it wants to see the house."""

from __future__ import annotations

import zoneinfo
from typing import Final

from django.db import transaction

from accounts.models import Account, AccountStatus
from difyproj.kernel import clock
from difyproj.kernel.errors import DomainError, InvalidParam

LANGUAGES: Final = (
    "en-US", "zh-Hans", "zh-Hant", "pt-BR", "es-ES", "fr-FR", "de-DE", "ja-JP", "ko-KR", "ru-RU", "it-IT", "th-TH", "uk-UA",
    "vi-VN", "ro-RO", "pl-PL", "hi-IN", "tr-TR", "fa-IR", "sl-SI", "id-ID", "ar-TN", "nl-NL",
)  # fmt: skip
THEMES: Final = ("light", "dark")


class AlreadyInited(DomainError):
    code = "account_already_inited"
    default_message = "The account has been initialized already."


def checked_language(language: str) -> str:
    if language not in LANGUAGES:
        raise InvalidParam(f"{language[:32]} is not a supported language.", params="interface_language")
    return language


def checked_timezone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise InvalidParam(f"{name[:64]} is not a valid time zone.", params="timezone")
    return name


def rename(account: Account, name: str) -> Account:
    return _change(account, name=name.strip())


def set_avatar(account: Account, avatar: str) -> Account:
    """``avatar`` is the id of an upload that the caller may use, or nothing."""
    return _change(account, avatar=avatar)


def set_language(account: Account, language: str) -> Account:
    return _change(account, interface_language=checked_language(language))


def set_theme(account: Account, theme: str) -> Account:
    if theme not in THEMES:
        raise InvalidParam(f"interface_theme must be one of: {', '.join(THEMES)}.", params="interface_theme")
    return _change(account, interface_theme=theme)


def set_timezone(account: Account, name: str) -> Account:
    return _change(account, timezone=checked_timezone(name))


@transaction.atomic
def initialize(account: Account, *, language: str, timezone: str) -> Account:
    """The first choice of language and time zone. Raises AlreadyInited."""
    row = Account.objects.select_for_update().get(pk=account.pk)
    if row.status != AccountStatus.UNINITIALIZED:
        raise AlreadyInited
    row.interface_language, row.timezone = checked_language(language), checked_timezone(timezone)
    row.status, row.initialized_at = AccountStatus.ACTIVE, clock.now()
    row.save(update_fields=["interface_language", "timezone", "status", "initialized_at", "updated_at"])
    return row


@transaction.atomic
def _change(account: Account, **fields: str) -> Account:
    row = Account.objects.select_for_update().get(pk=account.pk)
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=[*fields, "updated_at"])
    return row
