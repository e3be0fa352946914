"""The admin of accounts: writes go through the services, and no secret comes back to a page."""

from . import access, catalogue, models, people

__all__ = ["access", "catalogue", "models", "people"]
