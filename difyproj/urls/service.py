"""The Service API without its prefix."""

from __future__ import annotations

from apps.api.service import urls as apps
from workflows.api.service import urls as workflows

urlpatterns = [*apps.urlpatterns, *workflows.urlpatterns]
