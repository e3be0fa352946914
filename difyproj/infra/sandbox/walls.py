"""How the sandbox's processes are held: one visible row per way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from difyproj.kernel.registry import Registry

from .programs import Bounds, Program


class Walls(Protocol):
    """Starts programs so that they reach nothing but the socket they are given.

    ``languages`` names the programs of each: what the first does not know is tried in the next one.
    """

    languages: Mapping[str, Sequence[Program]]

    def __init__(self, *, packages: str = "") -> None:
        """``packages`` is a folder of Python packages for code, where these walls let it have them."""

    def refusal(self) -> str:
        """Why these walls cannot be had on this machine; empty when they can. May take some milliseconds."""

    def command(self, program: Program, bounds: Bounds) -> Sequence[str]:
        """What starts a worker of the program."""


WALLS: Registry[type[Walls]] = Registry(
    "wall of the sandbox",
    {
        "embedded": "difyproj.infra.sandbox.embedded:Embedded",
        "bwrap": "difyproj.infra.sandbox.bubblewrap:Bubblewrap",
    },
)
