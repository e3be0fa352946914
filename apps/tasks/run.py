"""apps.run: a graph's run that waits for a worker is this one's from now on; the run is the target."""

from __future__ import annotations

from uuid import UUID

from apps import generation
from difyproj.infra.jobs import Job


class BackgroundRun(Job):
    """It ends when the run has begun: the run has a process of its own to answer for it, and a job's thread is not held."""

    kind = "apps.run"

    def run(self) -> dict[str, bool]:
        self.check()
        return {"begun": generation.execute(UUID(self.target_id))}
