"""workflows.retention: forget the history of runs that is old. Runs every hour (settings.PERIODIC_JOBS)."""

from __future__ import annotations

from difyproj.infra.jobs import Job
from workflows.services import retention


class Retention(Job):
    kind = "workflows.retention"

    def run(self) -> dict[str, int]:
        return {name: forget() for name, forget in retention.FORGET.items()}
