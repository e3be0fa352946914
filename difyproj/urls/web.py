"""The Web API without its prefix."""

from __future__ import annotations

from accounts.api.web import urls as accounts
from apps.api.web import urls as apps

urlpatterns = [*accounts.urlpatterns, *apps.urlpatterns]
