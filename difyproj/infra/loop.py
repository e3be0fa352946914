"""The event loop of this process: where generations and background work run, reachable from any thread.

A server binds its loop when it starts. Without one (a management command) a loop in a thread of its own is started on demand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as NotYet
from threading import Lock, Thread
from typing import Any, TypeVar

from difyproj.kernel import clock

T = TypeVar("T")

# One cancellation may be lost in a library that turns it into an error of its own; the next one comes after this.
CANCEL_AGAIN_SECONDS = 0.5
# How often a thread that waits looks whether it still should.
LOOK_SECONDS = 0.25

_lock = Lock()
_loop: asyncio.AbstractEventLoop | None = None
_tasks: set[asyncio.Task[Any]] = set()


def bind() -> None:
    """Make the running loop this process's loop."""
    global _loop
    _loop = asyncio.get_running_loop()


def current() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            Thread(target=_loop.run_forever, name="loop", daemon=True).start()
        return _loop


def call(function: Callable[..., object], *args: Any) -> None:
    """Run ``function(*args)`` on the loop soon; from any thread."""
    current().call_soon_threadsafe(function, *args)


def wait(work: Coroutine[Any, Any, T], *, seconds: float, check: Callable[[], object] | None = None) -> T:
    """The result of ``work``, carried out on the loop, for a thread that is not the loop's own.

    ``check`` is called four times a second. What it raises ends the work, and so does the time: TimeoutError.
    """
    future = asyncio.run_coroutine_threadsafe(work, current())
    deadline = clock.monotonic() + seconds
    try:
        while True:
            left = deadline - clock.monotonic()
            try:
                return future.result(min(LOOK_SECONDS, left) if left > 0 else 0)
            except CancelledError:
                raise TimeoutError("The work was cancelled.") from None
            except NotYet:
                if future.done():
                    raise
                if left <= 0:
                    raise TimeoutError(f"There was no answer in {seconds:.0f} seconds.") from None
            if check is not None:
                check()
    finally:
        future.cancel()


def spawn(work: Coroutine[Any, Any, Any], *, name: str | None = None) -> asyncio.Task[Any]:
    """Start ``work`` as a task of the running loop and keep it alive until it ends."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel ``task`` until it is over, whatever becomes of a single cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=CANCEL_AGAIN_SECONDS)
