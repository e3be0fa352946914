"""datasets.sweep: work whose job was lost gets another one. Runs every half minute (settings.PERIODIC_JOBS)."""

from __future__ import annotations

from datasets.services import pipeline, reindex, removal
from difyproj.infra.jobs import Job


class Sweep(Job):
    kind = "datasets.sweep"

    def run(self) -> dict[str, int]:
        return {"documents": pipeline.sweep(), "datasets": reindex.sweep(), "leftovers": removal.forgotten()}
