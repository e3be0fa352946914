"""The network is off in tests: only loopback, and the services the run was pointed at, can be reached."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain"})


class NetworkOff(OSError):
    """Raised in place of a connection or a name look-up that would leave the machine."""


def is_local(host: object) -> bool:
    """Whether ``host`` is a loopback address or name."""
    if host is None or not isinstance(host, str | bytes):
        return host is None
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if text in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_address(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host))
    except ValueError:
        return False
    return True


@contextmanager
def network_off(allowed: frozenset[str] = frozenset()) -> Iterator[None]:
    """Refuse look-ups and connections of Python sockets to hosts that are neither loopback nor in ``allowed``."""
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else None
        if not is_local(host) and host not in allowed:
            raise NetworkOff(f"The network is off in tests; something wanted {host}.")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(address)
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host) and not _is_address(host) and host not in allowed:
            raise socket.gaierror(socket.EAI_NONAME, f"The network is off in tests; something looked {host} up.")
        return look_up(host, *args, **kwargs)

    patched: Any = socket.socket
    patched.connect, patched.connect_ex, socket.getaddrinfo = guarded_connect, guarded_connect_ex, guarded_look_up
    try:
        yield
    finally:
        patched.connect, patched.connect_ex, socket.getaddrinfo = connect, connect_ex, look_up


@contextmanager
def kept_port() -> Iterator[int]:
    """A loopback port that only servers of this process get meanwhile, one after the other, with ``reuse_port``."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
