"""apps.retention: forget app files that nobody confirmed. Runs every hour (settings.PERIODIC_JOBS)."""

from __future__ import annotations

from apps.services import dsl
from difyproj.infra.jobs import Job


class Retention(Job):
    kind = "apps.retention"

    def run(self) -> dict[str, int]:
        return {"imports": dsl.forget_expired()}
