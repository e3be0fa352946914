"""The admin of accounts: writes go through the services, and no secret comes back to a page."""

from . import models, people

__all__ = ["models", "people"]
