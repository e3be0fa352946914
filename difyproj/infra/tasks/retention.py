"""infra.retention: forget what is old. Runs every hour (settings.PERIODIC_JOBS)."""

from __future__ import annotations

from difyproj.infra import retention
from difyproj.infra.jobs import Job


class Retention(Job):
    kind = "infra.retention"

    def run(self) -> dict[str, int]:
        return {name: forget() for name, forget in retention.FORGET.items()}
