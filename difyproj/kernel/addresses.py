"""Which network addresses the product may connect to: everything public, plus what the operator allows."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# From the IANA special-purpose registries, written out because ipaddress.is_global differs between Python releases.
# 168.63.129.16 looks public but is the platform endpoint inside every Azure network.
_INSIDE_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_INSIDE_V6 = tuple(ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One allow-list entry: a host name or a network, for one port or (None) for all."""

    host: str
    network: Network | None
    port: int | None


class AddressPolicy:
    """Decides on the final socket address.

    ``allow`` entries: ``name``, ``name:port``, ``10.0.0.5``, ``10.0.0.5:8080``, ``10.0.0.0/8``, ``10.0.0.0/8:8080``,
    ``fd00::1``, ``[fd00::1]:8080``, ``fd00::/8``, ``[fd00::/8]:8080``. A name stands for whatever address it resolves to,
    when it is the host that was asked for; an address or network stands for itself under any name. Raises ValueError for
    other text.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        rules = [_parse_rule(entry.strip()) for entry in allow if entry.strip()]
        self._names = frozenset((rule.host, rule.port) for rule in rules if rule.network is None)
        self._networks = tuple((rule.network, rule.port) for rule in rules if rule.network is not None)

    def permits(self, host: str, address: str, port: int) -> bool:
        """Whether a connection to ``address`` and ``port`` may be made for a request that names ``host``."""
        name = _plain_name(host)
        if (name, None) in self._names or (name, port) in self._names:
            return True
        try:
            target = _embedded_mapped(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        return is_public(target) or any(
            target in network for network, only_port in self._networks if only_port is None or only_port == port
        )


def is_public(address: Address) -> bool:
    """True for addresses of the open internet; False for this machine, its networks, metadata and all reserved space."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _INSIDE_V4)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_UNICAST_V6 and not any(address in network for network in _INSIDE_V6)


def _embedded_mapped(address: Address) -> Address:
    """The IPv4 address that the operating system would connect to for an IPv4-mapped IPv6 address."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _plain_name(host: str) -> str:
    return host.rstrip(".").lower()


def _parse_rule(entry: str) -> _Rule:
    network = _network(entry)
    if network is not None:
        return _Rule(host="", network=network, port=None)
    rest, separator, port_text = entry.rpartition(":")
    port = None
    if separator:
        if not (port_text.isascii() and port_text.isdigit() and 0 < int(port_text) < 65536):
            raise ValueError(f"Not a host, host:port or network: {entry!r}.")
        port = int(port_text)
    else:
        rest = entry
    if rest.startswith("[") and rest.endswith("]"):
        rest = rest[1:-1]
    network = _network(rest)
    if network is None and (not rest or any(letter in rest for letter in ":/[]@?# *")):
        raise ValueError(f"Not a host, host:port or network: {entry!r}.")
    return _Rule(host="" if network else _ascii_name(rest), network=network, port=port)


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _ascii_name(name: str) -> str:
    try:
        return _plain_name(name.encode("idna").decode("ascii"))
    except UnicodeError as error:
        raise ValueError(f"Not a host name: {name!r}.") from error
