"""App modes: each turns an app's configuration and one question into a graph. One file and one row each."""

from .table import GRAPH_MODES, MODES, mode_for, mode_of

__all__ = ["GRAPH_MODES", "MODES", "mode_for", "mode_of"]
