"""apps.annotation_import: the rows of one uploaded CSV file, which is the target, become annotations of its app."""

from __future__ import annotations

from apps.services import annotation
from difyproj.infra.jobs import Job


class AnnotationImport(Job):
    kind = annotation.IMPORT_KIND

    def run(self) -> dict[str, int]:
        written = 0
        for written in annotation.take_in(self.target_id, job_id=self.id, account_id=self.created_by_id):
            self.progress(written)
        return {"record_count": written}
