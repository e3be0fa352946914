"""apps.preview: a small picture and the first words of one upload, which is the target."""

from __future__ import annotations

from apps.services import previews
from difyproj.infra.jobs import Job


class Preview(Job):
    kind = previews.KIND
    max_attempts = 3

    def run(self) -> dict[str, str]:
        return {"state": previews.make(self.target_id)}

    def given_up(self) -> None:
        previews.give_up(self.target_id)
