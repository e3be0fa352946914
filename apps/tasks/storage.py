"""apps.storage: remove stored bytes that no row wants any more, every few minutes."""

from __future__ import annotations

from apps.services import stored_bytes
from difyproj.infra.jobs import Job


class Storage(Job):
    kind = "apps.storage"

    def run(self) -> dict[str, int]:
        removed = 0
        while batch := stored_bytes.remove_due():
            removed += batch
            self.progress(removed)
        return {"removed": removed}
