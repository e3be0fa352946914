"""Features that an app's configuration switches on, where asking for one that is off has a refusal of its own."""

from __future__ import annotations

from apps.models import App
from difyproj.kernel.errors import Forbidden

from . import apps


class MoreLikeThisDisabled(Forbidden):
    code = "app_more_like_this_disabled"
    default_message = "The 'More like this' feature is disabled. Please refresh your page."


def demand_more_like_this(app: App) -> None:
    """Raises MoreLikeThisDisabled."""
    if not apps.configuration(app).more_like_this.enabled:
        raise MoreLikeThisDisabled
