"""The admin of workflows: graphs, what starts them and what became of it are only looked at."""

from . import callbacks, graphs, history

__all__ = ["callbacks", "graphs", "history"]
