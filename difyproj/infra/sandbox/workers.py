"""Warm processes that answer one request at a time. One that is late, dies or talks nonsense is killed and replaced."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

from difyproj.kernel import clock
from difyproj.kernel.errors import ServiceUnavailable

logger = logging.getLogger("dify.sandbox")

LENGTH: Final = struct.Struct(">I")
LARGEST: Final = 9 * 1024**2
START_SECONDS, WAIT_SECONDS, GRACE_SECONDS, END_SECONDS = 30.0, 60.0, 1.5, 5.0
# So long an unused worker is kept.
IDLE_SECONDS: Final = 120.0

Head = Mapping[str, Any]
# Does what a worker asks for in the middle of a request: the wish and its body in, the reply out.
Answer = Callable[[Mapping[str, Any], bytes], Awaitable[bytes]]


class WorkerDied(Exception):
    """The worker ended, or was ended, in the middle of a request."""


class Worker:
    """One process and the socket to it. It belongs to no event loop."""

    def __init__(self, command: Sequence[str]) -> None:
        self.used_at = 0.0
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        try:
            # It sees no variable of ours: secrets stand there.
            self.process = subprocess.Popen(  # noqa: S603  our own program; nothing of a stranger is in the command
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()

    async def ask(self, request: bytes) -> tuple[Head, bytes]:
        """The reply's head and body. Raises WorkerDied."""
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, LENGTH.pack(len(request)) + request)
            return await self.hear()
        except OSError as error:
            raise WorkerDied from error

    async def hear(self) -> tuple[Head, bytes]:
        (length,) = LENGTH.unpack(await self._read(LENGTH.size))
        if length > LARGEST:
            raise WorkerDied
        head, _, body = (await self._read(length)).partition(b"\n")
        try:
            return json.loads(head), body
        except ValueError as error:
            raise WorkerDied from error

    async def _read(self, size: int) -> bytes:
        whole = bytearray()
        while len(whole) < size:
            piece = await asyncio.get_running_loop().sock_recv(self._socket, min(size - len(whole), 1024**2))
            if not piece:
                raise WorkerDied
            whole += piece
        return bytes(whole)

    def is_alive(self) -> bool:
        """Whether a worker that was asked nothing is still there."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return self.process.poll() is None
        except OSError:
            return False
        return False

    def kill(self) -> None:
        """Ends the process and what it began, at once. ``process.poll`` tells when it is gone."""
        self._socket.close()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


async def _answered(limit: asyncio.Timeout, answer: Answer | None, wish: Mapping[str, Any], body: bytes) -> bytes:
    if answer is None:
        raise WorkerDied
    began, until = asyncio.get_running_loop().time(), limit.when()
    limit.reschedule(None)
    reply = await answer(wish, body)
    limit.reschedule((until or began) + asyncio.get_running_loop().time() - began)
    return reply


class Workers:
    """At most ``size`` workers of one program, started when they are needed and kept for the next request."""

    def __init__(self, command: Callable[[], Sequence[str]], *, size: int) -> None:
        self._command, self._size = command, size
        self._idle: list[Worker] = []
        self._dying: list[subprocess.Popen[bytes]] = []
        self._watching: asyncio.AbstractEventLoop | None = None
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    async def ask(self, request: bytes, *, seconds: float, answer: Answer | None = None) -> tuple[Head, bytes]:
        """One reply; ``seconds`` do not count while ``answer`` is at work.

        Raises WorkerDied, TimeoutError after ``seconds`` and some grace, and ServiceUnavailable when no worker comes free.
        """
        gate = self._gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._size))
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await gate.acquire()
        except TimeoutError as error:
            raise ServiceUnavailable("All workers of the sandbox are busy.", retry_after=WAIT_SECONDS) from error
        try:
            return await self._ask(request, seconds, answer)
        finally:
            gate.release()

    async def _ask(self, request: bytes, seconds: float, answer: Answer | None) -> tuple[Head, bytes]:
        worker = self._warm() or await self._begin()
        keep = False
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS) as limit:
                head, body = await worker.ask(request)
                while (wish := head.get("ask")) is not None:
                    head, body = await worker.ask(await _answered(limit, answer, wish, body))
            keep = not head.get("last")
            return head, body
        finally:
            if keep:
                self._keep(worker)
            else:
                self._end(worker)

    def _warm(self) -> Worker | None:
        while self._idle:
            if (worker := self._idle.pop()).is_alive():
                return worker
            self._end(worker)
        return None

    def _keep(self, worker: Worker) -> None:
        worker.used_at = clock.monotonic()
        self._idle.append(worker)
        self._watch()

    def _watch(self) -> None:
        """One look is planned at a time, on the loop that uses the workers now."""
        running = asyncio.get_running_loop()
        if self._watching is not running:
            self._watching = running
            running.call_later(IDLE_SECONDS, self._end_unused)

    def _end_unused(self) -> None:
        """The one used last is taken first, so those at the front are the ones that are too many."""
        self._watching = None
        while self._idle and clock.monotonic() - self._idle[0].used_at >= IDLE_SECONDS:
            self._end(self._idle.pop(0))
        if self._idle:
            self._watch()

    async def _begin(self) -> Worker:
        self._reap()
        worker = None
        try:
            worker = Worker(self._command())
            async with asyncio.timeout(START_SECONDS):
                await worker.hear()
        except (OSError, WorkerDied) as error:
            logger.warning("A worker of the sandbox does not start (%s).", type(error).__name__)
            if worker is not None:
                self._end(worker)
            raise ServiceUnavailable("The sandbox does not start.") from error
        except BaseException:
            if worker is not None:
                self._end(worker)
            raise
        return worker

    def _end(self, worker: Worker) -> None:
        worker.kill()
        self._dying.append(worker.process)
        self._reap()

    def _reap(self) -> None:
        self._dying = [process for process in self._dying if process.poll() is None]

    async def aclose(self) -> None:
        """Ends the idle ones and waits a moment until they are gone; the next request starts new ones."""
        while self._idle:
            self._end(self._idle.pop())
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                while self._dying:
                    await asyncio.sleep(0.005)
                    self._reap()
