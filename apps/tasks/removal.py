"""apps.removal: delete what a removed app left; the app is the target."""

from __future__ import annotations

from apps.services import app_removal
from difyproj.infra.jobs import Job, Retry

PAUSE_SECONDS = 2.0


class Removal(Job):
    kind = app_removal.KIND
    max_attempts = 100

    def run(self) -> None:
        if app_removal.is_busy(self.target_id):
            raise Retry("A run of the app still goes on.", after=PAUSE_SECONDS)
        app_removal.carry_out(self.target_id, self.progress)
