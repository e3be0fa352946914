"""Session: one sign-in of an account. Its row is the credential's life: a deleted row ends every token made from it."""

from __future__ import annotations

from django.db import models

from .rows import Row


class SessionScope(models.TextChoices):
    CONSOLE = "console", "Console"
    WEB_APP = "web-app", "Published apps"


class Session(Row):
    """``refresh_hash`` is the SHA-256 of the refresh token, which is renewed at each use; nobody can read it again.

    ``password_print`` tells the password the account had at the sign-in: with any other one the session is over.
    """

    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="sessions")
    scope = models.CharField(max_length=16, choices=SessionScope.choices, default=SessionScope.CONSOLE)
    refresh_hash = models.CharField(max_length=64, unique=True, editable=False)
    password_print = models.CharField(max_length=64, editable=False)
    method = models.CharField(max_length=32, help_text="How the account signed in: password, email_code, a provider's name.")
    ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=255, blank=True, default="")
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.account_id} {self.method}"
