"""datasets.index: carry one document, which is the target, through its stages, or bring its index up to date."""

from __future__ import annotations

from datasets.services import document_run, pipeline
from difyproj.infra.jobs import Job, Retry
from difyproj.kernel.errors import DomainError


class Index(Job):
    kind = pipeline.KIND
    max_attempts = 10

    def run(self) -> dict[str, str]:
        run = document_run.begin(self.target_id, self)
        if run is None:
            return {"state": "not wanted"}
        try:
            return {"state": run.advance()}
        except DomainError as error:
            if pipeline.may_pass(error) and self.attempt < self.max_attempts:
                raise Retry(error.message, after=error.retry_after) from error
            run.fail(error.message)
            raise
        except self.retryable as error:
            if self.attempt >= self.max_attempts:
                run.fail(f"It failed again and again: {type(error).__name__}.")
            raise
