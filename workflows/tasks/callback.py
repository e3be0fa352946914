"""workflows.callback: tell a receiver that a run has ended; the delivery is the target."""

from __future__ import annotations

from difyproj.infra.jobs import Job, Retry
from workflows.services import callbacks


class Callback(Job):
    """Ten attempts within about an hour and a half."""

    kind = callbacks.KIND
    max_attempts = 10
    first_pause_seconds = 10.0
    longest_pause_seconds = 3600.0

    def run(self) -> dict[str, int | None]:
        try:
            return {"status": callbacks.send(self.target_id, is_last=self.attempt >= self.max_attempts)}
        except callbacks.NotTaken as error:
            if not error.may_help:
                raise
            raise Retry(error.message) from error
