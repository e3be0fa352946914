"""Account: a person who signs in by e-mail."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower

from difyproj.kernel import clock

from .rows import Row


class AccountStatus(models.TextChoices):
    PENDING = "pending"
    UNINITIALIZED = "uninitialized"
    ACTIVE = "active"
    BANNED = "banned"
    CLOSED = "closed"


class Accounts(BaseUserManager["Account"]):
    """Looks accounts up by e-mail, whatever its letter case."""

    def get_by_natural_key(self, username: str | None) -> Account:
        return self.get(email=self.normalize_email(username))

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        return (email or "").strip().lower()

    def create_superuser(self, email: str, password: str, **fields: Any) -> Account:
        """Django's own command comes here; everything else goes through ``accounts.services.accounts``."""
        fields.setdefault("email_proven_at", clock.now())
        account = self.model(email=self.normalize_email(email), is_staff=True, is_superuser=True, **fields)
        account.name = account.name or account.email
        account.set_password(password)
        account.save(using=self._db)
        return account


class Account(Row, AbstractBaseUser, PermissionsMixin):
    """The custom user. ``last_login`` is Django's; only an ``active`` account may sign in."""

    email = models.EmailField(max_length=255, unique=True)
    name = models.CharField(max_length=255)
    avatar = models.CharField(max_length=255, blank=True, default="")
    interface_language = models.CharField(max_length=32, default="en-US")
    interface_theme = models.CharField(max_length=32, default="light")
    timezone = models.CharField(max_length=64, default="UTC")
    status = models.CharField(max_length=32, choices=AccountStatus.choices, default=AccountStatus.ACTIVE)
    is_staff = models.BooleanField(default=False)
    last_login_ip = models.GenericIPAddressField(null=True, blank=True)
    last_active_at = models.DateTimeField(null=True, blank=True)
    initialized_at = models.DateTimeField(null=True, blank=True, help_text="When language and time zone were chosen first.")
    email_proven_at = models.DateTimeField(
        null=True, blank=True, help_text="When the address was shown to be theirs; empty while an invitation alone says so."
    )

    objects = Accounts()

    EMAIL_FIELD = USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        ordering = ["created_at"]
        constraints = [models.CheckConstraint(condition=models.Q(email=Lower("email")), name="account_email_lower_case")]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = Accounts.normalize_email(self.email)
        super().save(*args, **kwargs)

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        return self.status == AccountStatus.ACTIVE
