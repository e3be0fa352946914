"""datasets.remove: take what was deleted out of its index and out of the storage; the leftover is the target."""

from __future__ import annotations

from datasets.services import removal
from difyproj.infra.jobs import Job


class Remove(Job):
    kind = removal.KIND
    max_attempts = 20

    def run(self) -> None:
        removal.carry_out(self.target_id)
