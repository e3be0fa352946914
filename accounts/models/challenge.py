"""Challenge: something was sent to an e-mail address, and who brings it back has shown that the address is theirs."""

from __future__ import annotations

from django.db import models

from .rows import Row


class Purpose(models.TextChoices):
    LOGIN = "login"
    REGISTER = "register"
    RESET_PASSWORD = "reset_password"  # noqa: S105  a purpose, not a password
    CHANGE_EMAIL = "change_email"
    TRANSFER_OWNER = "transfer_owner"
    DELETE_ACCOUNT = "delete_account"
    INVITE = "invite"
    SECOND_FACTOR = "second_factor"


class Challenge(Row):
    """Found by the hash of its token. ``code_hash`` is empty where the token alone is the proof (invitations).

    ``data`` holds what the proof is for (a tenant, a new address), never a secret. A used challenge stays until it expires,
    so that its token is known to be spent.
    """

    purpose = models.CharField(max_length=32, choices=Purpose.choices)
    stage = models.CharField(max_length=16, default="sent", help_text="How far a flow of several steps has come.")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    code_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    email = models.EmailField(max_length=255, db_index=True)
    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    data = models.JSONField(default=dict, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.purpose} {self.email}"
