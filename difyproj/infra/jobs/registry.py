"""The table of jobs: the file ``<app>/tasks/<name>.py`` is the row ``<app label>.<name>``, imported when the job runs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from threading import Lock

from django.apps import apps

from difyproj.kernel.registry import UnknownEntry

from .base import Job


class JobTable:
    """Kinds and their classes. Looking a kind up imports nothing, so that enqueueing stays cheap in a web process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._modules: dict[str, str] | None = None
        self._loaded: dict[str, type[Job]] = {}

    def kinds(self) -> list[str]:
        return sorted({*self._rows(), *self._loaded})

    def __contains__(self, kind: object) -> bool:
        return kind in self._loaded or kind in self._rows()

    def get(self, kind: str) -> type[Job]:
        """The job's class. Raises UnknownEntry, or TypeError for a file that does not hold exactly one job of its name."""
        if kind not in self._loaded:
            self.require(kind)
            self._loaded[kind] = _job_of(self._rows()[kind], kind)
        return self._loaded[kind]

    def require(self, kind: str) -> None:
        """Raises UnknownEntry for a kind that does not exist."""
        if kind not in self:
            raise UnknownEntry(f"Unknown job {kind!r}. Known: {', '.join(self.kinds())}.")

    def add(self, job: type[Job]) -> None:
        """A job that stands in no ``tasks`` folder, for tests."""
        self._loaded[job.kind] = job

    def remove(self, kind: str) -> None:
        self._loaded.pop(kind, None)

    def _rows(self) -> dict[str, str]:
        with self._lock:
            if self._modules is None:
                self._modules = {
                    f"{config.label}.{file.stem}": f"{config.name}.tasks.{file.stem}"
                    for config in apps.get_app_configs()
                    for file in sorted(Path(config.path, "tasks").glob("*.py"))
                    if file.stem != "__init__"
                }
            return self._modules


def _job_of(name: str, kind: str) -> type[Job]:
    module = import_module(name)
    own = [
        entry
        for entry in vars(module).values()
        if isinstance(entry, type) and issubclass(entry, Job) and entry.__module__ == name and "kind" in vars(entry)
    ]
    if len(own) != 1 or own[0].kind != kind:
        raise TypeError(f"{name} must hold one job, of the kind {kind!r}.")
    return own[0]


JOBS = JobTable()
