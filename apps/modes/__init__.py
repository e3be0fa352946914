"""App modes: each turns an app's configuration and one question into a graph. One file and one row each."""

from .table import MODES, mode_for

__all__ = ["MODES", "mode_for"]
