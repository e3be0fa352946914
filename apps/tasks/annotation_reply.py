"""apps.annotation_reply: the index of one app's annotations, which is the target, says what its rows say."""

from __future__ import annotations

from apps.services import annotation_reply
from difyproj.infra.jobs import Job


class AnnotationReply(Job):
    kind = annotation_reply.KIND
    max_attempts = 3

    def run(self) -> dict[str, int]:
        return {"indexed": annotation_reply.bring_up_to_date(self.target_id, self.id, self.check)}
