"""The Service API without its prefix."""

from __future__ import annotations

from accounts.api.service import urls as accounts
from apps.api.service import urls as apps
from datasets.api.service import urls as datasets
from workflows.api.service import urls as workflows

urlpatterns = [*apps.urlpatterns, *workflows.urlpatterns, *datasets.urlpatterns, *accounts.urlpatterns]
