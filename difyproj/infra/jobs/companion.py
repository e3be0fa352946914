"""The one worker that runs beside a server: started with it, started again when it dies, gone when the server is gone."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from threading import Event, Thread

from django.conf import settings

logger = logging.getLogger("dify.api")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
# A worker that ran for so long was sound: its next end is not the same trouble again.
SOUND_SECONDS = 60.0
# Longer than a worker gives its jobs (worker.GRACE_SECONDS).
PATIENCE_SECONDS = 12.0


def command() -> tuple[str, ...]:
    return (sys.executable, str(settings.BASE_DIR / "manage.py"), "work")


class Companion:
    """``start`` when the server listens, ``ask_to_end`` when it was told to end, ``end`` when it has ended."""

    def __init__(self, command: Sequence[str], *, first_pause: float = FIRST_PAUSE_SECONDS) -> None:
        self._command = tuple(command)
        self._first_pause = first_pause
        self._ending = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._keep_running, name="companion", daemon=True)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        self._thread.start()

    def ask_to_end(self) -> None:
        """Does not wait; may be called by a signal handler's thread at any time, also again."""
        self._ending.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()

    def end(self) -> None:
        """Wait for the worker's end, and see to it."""
        if not self._thread.ident:
            return
        self.ask_to_end()
        self._thread.join(PATIENCE_SECONDS)
        if self._thread.is_alive() and self._process is not None:
            logger.error("The worker does not end and is killed; its jobs are run again.")
            self._process.kill()
            self._thread.join(PATIENCE_SECONDS)

    def _keep_running(self) -> None:
        pause = self._first_pause
        while not self._ending.is_set():
            began = time.monotonic()
            code = self._run()
            if self._ending.is_set():
                return
            pause = self._first_pause if time.monotonic() - began > SOUND_SECONDS else pause
            logger.error("The worker ended with code %s and is started again in %.0f s.", code, pause)
            self._ending.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _run(self) -> int:
        """One worker, to its end. It holds the reading end of a pipe that closes with this process, whatever ends it."""
        reading, writing = os.pipe()
        try:
            words = (*self._command, "--parent", str(reading))
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=(reading,))  # noqa: S603  our own command
            os.close(reading)
            if self._ending.is_set():
                self._process.terminate()
            return self._process.wait()
        finally:
            os.close(writing)
