"""The admin of workflows: graphs, what starts them and what became of it are only looked at."""

from . import graphs, history

__all__ = ["graphs", "history"]
