"""apps.removal: delete what a removed app left; the app is the target."""

from __future__ import annotations

from django.conf import settings

from apps.services import app_removal
from difyproj.infra.jobs import Job, Retry

SHORTEST_PAUSE_SECONDS = 15.0


class Removal(Job):
    kind = app_removal.KIND
    max_attempts = 100

    def run(self) -> None:
        if app_removal.is_busy(self.target_id):
            # All pauses together are longer than the longest run.
            pause = max(SHORTEST_PAUSE_SECONDS, 2 * settings.APP_MAX_EXECUTION_TIME / self.max_attempts)
            raise Retry("A run of the app still goes on.", after=pause)
        app_removal.carry_out(self.target_id, self.progress)
