"""accounts.retention: forget sessions and challenges that have expired. Runs every hour (settings.PERIODIC_JOBS)."""

from __future__ import annotations

from accounts.services import challenges, sessions
from difyproj.infra.jobs import Job


class Retention(Job):
    kind = "accounts.retention"

    def run(self) -> dict[str, int]:
        return {"sessions": sessions.forget_expired(), "challenges": challenges.forget_expired()}
