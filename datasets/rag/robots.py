"""What a site allows robots: robots.txt as RFC 9309 reads it, and patterns of paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_MOST_BYTES: Final = 500 * 1024
_MOST_RULES: Final = 2000
_LONGEST_PATTERN: Final = 1000
_LONGEST_DELAY: Final = 10.0


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules for us: the longest pattern that fits decides, and an allowing one where two are as long."""

    rules: tuple[tuple[str, bool], ...] = ()
    delay: float = 0.0

    def allows(self, path: str) -> bool:
        fitting = [(len(pattern), is_allowed) for pattern, is_allowed in self.rules if fits(pattern, path)]
        return max(fitting)[1] if fitting else True


NOTHING: Final = Robots((("/", False),))


def parse(data: bytes, name: str) -> Robots:
    """The group of ``name``, else that of everybody."""
    groups: dict[str, tuple[list[tuple[str, bool]], list[float]]] = {}
    agents: list[str] = []
    is_naming = False
    for line in data[:_MOST_BYTES].decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent":
            agents = [*agents, value.lower()] if is_naming else [value.lower()]
            groups.setdefault(value.lower(), ([], []))
            is_naming = True
            continue
        is_naming = False
        for agent in agents:
            rules, delays = groups[agent]
            if key in ("allow", "disallow") and value and len(rules) < _MOST_RULES:
                rules.append((value[:_LONGEST_PATTERN], key == "allow"))
            elif key == "crawl-delay" and value.replace(".", "", 1).isdecimal():
                delays.append(min(float(value), _LONGEST_DELAY))
    rules, delays = groups.get(name.lower()) or groups.get("*") or ([], [])
    return Robots(tuple(rules), max(delays, default=0.0))


def fits(pattern: str, path: str) -> bool:
    """Whether the path begins as the pattern says; ``*`` is anything, ``$`` the end. In one pass, whatever the pattern."""
    is_whole = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for index, part in enumerate(rest):
        if is_whole and index == len(rest) - 1:
            return len(path) - len(part) >= at and path.endswith(part)
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return not is_whole or at == len(path)


def any_fits(patterns: Sequence[str], path: str) -> bool:
    return any(fits(pattern, path) for pattern in patterns)


def patterns(given: str | Iterable[str]) -> tuple[str, ...]:
    """As people write them: ``blog/*, /about``."""
    texts = given.split(",") if isinstance(given, str) else given
    return tuple(f"/{text.strip().lstrip('/')}"[:_LONGEST_PATTERN] for text in texts if text.strip())
