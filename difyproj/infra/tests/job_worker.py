"""A worker process for tests: ``python -m difyproj.infra.tests.job_worker`` is ``manage.py work`` with a job more."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import django

# Settings leave the admin out for this word, as for the command.
sys.argv[1:] = ["work"]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "difyproj.settings.dev")
django.setup()

from difyproj.infra.jobs import JOBS, Job, worker  # noqa: E402  needs Django

KIND = "tests.patient"


class Patient(Job):
    """Notes that it began, works until it finds the file ``go``, and notes that it is done. The target is its folder."""

    kind = KIND
    progress_seconds = 0.05

    def run(self) -> str:
        folder = Path(self.target_id)
        note(folder, "began")
        while not (folder / "go").exists():
            self.check()
            time.sleep(0.02)
        note(folder, "done")
        return "done"


def note(folder: Path, word: str) -> None:
    with (folder / "notes").open("a") as notes:
        notes.write(f"{word}\n")


if __name__ == "__main__":
    JOBS.add(Patient)
    sys.exit(worker.work(threads=1))
