"""datasets.reindex: build a dataset's next index beside the one that answers, then exchange them; the dataset is the target."""

from __future__ import annotations

from datasets.services import pipeline, reindex
from difyproj.infra.jobs import Job, Retry
from difyproj.kernel.errors import DomainError


class Reindex(Job):
    kind = reindex.KIND
    max_attempts = 10

    def run(self) -> dict[str, str]:
        try:
            return {"state": reindex.carry_out(self.target_id, self)}
        except DomainError as error:
            if pipeline.may_pass(error) and self.attempt < self.max_attempts:
                raise Retry(error.message, after=error.retry_after) from error
            reindex.give_up(self.target_id, self.id, error.message)
            raise
        except self.retryable as error:
            if self.attempt >= self.max_attempts:
                reindex.give_up(self.target_id, self.id, f"It failed again and again: {type(error).__name__}.")
            raise
