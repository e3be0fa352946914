"""Work outside of requests. A job is a class in ``<app>/tasks/<name>.py``; callers name its kind and never import it:

    class Preview(Job):                         # apps/tasks/preview.py
        kind = "apps.preview"

        def run(self) -> dict[str, int]:        # what it returns is kept as the row's result
            self.progress(1, 10)
            ...

    jobs.enqueue("apps.preview", upload_file.id, tenant_id=tenant.id, unique=True)

The row is the truth: messages carry only its id, a job may be run twice, and it starts when the transaction is committed.
"""

from .base import Cancelled, Interrupted, Job, LeaseLost, Retry, at_end
from .queue import cancel, enqueue, retry
from .registry import JOBS
from .run import run_job, run_waiting

__all__ = [
    "JOBS",
    "Cancelled",
    "Interrupted",
    "Job",
    "LeaseLost",
    "Retry",
    "at_end",
    "cancel",
    "enqueue",
    "retry",
    "run_job",
    "run_waiting",
]
