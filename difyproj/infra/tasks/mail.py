"""infra.mail: send one message. The target is the OutgoingMail row, which is gone once it was sent; one that cannot be
sent waits for another try until retention takes it away."""

from __future__ import annotations

from typing import ClassVar

from django.db import Error as DatabaseError

from difyproj.infra import mail
from difyproj.infra.jobs import Job


class Mail(Job):
    kind = mail.KIND
    max_attempts = 8
    first_pause_seconds = 10.0
    # What mail servers and the way to them refuse for now or for good is an OSError.
    retryable: ClassVar[tuple[type[Exception], ...]] = (OSError, DatabaseError)

    def run(self) -> dict[str, bool]:
        return {"sent": mail.deliver(self.target_id)}
