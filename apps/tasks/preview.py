"""apps.preview: a small picture and the first words of one upload, which is the target."""

from __future__ import annotations

from apps.services import previews
from difyproj.infra.jobs import Job
from difyproj.kernel.errors import DomainError


class Preview(Job):
    kind = previews.KIND
    max_attempts = 3

    def run(self) -> dict[str, str]:
        try:
            return {"state": previews.make(self.target_id)}
        except (OSError, DomainError) as error:
            if isinstance(error, DomainError) or self.attempt >= self.max_attempts:
                previews.give_up(self.target_id)
            raise
