"""Fake model providers on loopback sockets: each speaks one provider's real wire format and follows a script."""

from .script import Received, Script, Understood
from .server import FakeUpstream
from .wires import WIRES

__all__ = ["WIRES", "FakeUpstream", "Received", "Script", "Understood"]
