"""The adapters of this process, one of each kind: over Redis when ``settings.REDIS_URL`` names one, else in memory.

The Redis family is imported only where it is used: its client costs every start a third of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol, TypeVar

from django.conf import settings

from difyproj.kernel.registry import Registry

from .control import Control, MemoryControl
from .event_log import EventLog, MemoryEventLog
from .slots import MemorySlots, Slots

E = TypeVar("E")
Codec = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]


class Family(Protocol):
    """Makes the adapters of one kind of store. ``errors`` are what its clients raise when it is away."""

    errors: tuple[type[Exception], ...]

    def event_log(self, codec: Codec, retention: float) -> EventLog[Any]: ...
    def slots(self) -> Slots: ...
    def control(self) -> Control: ...

    def answers(self) -> bool:
        """Whether the store can be reached now."""

    async def aclose(self) -> None: ...
    def reset(self) -> None: ...


class MemoryFamily:
    """One process, nothing else."""

    errors: tuple[type[Exception], ...] = (OSError,)

    def event_log(self, codec: Codec, retention: float) -> EventLog[Any]:
        return MemoryEventLog(retention=retention, encode=codec[0])

    def slots(self) -> Slots:
        return MemorySlots()

    def control(self) -> Control:
        return MemoryControl()

    def answers(self) -> bool:
        return True

    async def aclose(self) -> None:
        return

    def reset(self) -> None:
        return


FAMILIES: Registry[type[Family]] = Registry(
    "store",
    {
        "memory": "difyproj.infra.backends:MemoryFamily",
        "redis": "difyproj.infra.backends_redis:RedisFamily",
    },
)

_lock = Lock()
_event_log: Any = None
_slots: Slots | None = None
_control: Control | None = None


def configured() -> bool:
    """Whether processes share a store."""
    return bool(settings.REDIS_URL)


def family() -> Family:
    return FAMILIES.get("redis" if configured() else "memory")()


def get_event_log(encode: Callable[[E], bytes], decode: Callable[[bytes], E]) -> EventLog[E]:
    """First called on the event loop that will use it. The codec of the first call stays."""
    global _event_log
    with _lock:
        if _event_log is None:
            _event_log = family().event_log((encode, decode), settings.EVENT_LOG_RETENTION_SECONDS)
        log: EventLog[E] = _event_log
        return log


def get_slots() -> Slots:
    global _slots
    with _lock:
        if _slots is None:
            _slots = family().slots()
        return _slots


def get_control() -> Control:
    global _control
    with _lock:
        if _control is None:
            _control = family().control()
        return _control


async def aclose() -> None:
    """Ends the background work of this process's adapters and forgets them; the next call makes new ones."""
    log, control = _event_log, _control
    reset()
    if log is not None:
        await log.aclose()
    if control is not None:
        await control.aclose()
    await family().aclose()


def reset() -> None:
    """Forgets the adapters, for tests. What runs on a loop ends with ``aclose``."""
    global _event_log, _slots, _control
    with _lock:
        _event_log = _slots = _control = None
    family().reset()
