"""The admin of apps: what is published is changed through the services; what was said and done is only looked at."""

from . import conversations, operations, published, tokens

__all__ = ["conversations", "operations", "published", "tokens"]
