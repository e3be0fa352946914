"""The Console API without its prefix: the rooms' own routes, then whatever of the contract is off."""

from __future__ import annotations

from accounts.api.console import urls as accounts
from apps.api.console import urls as apps
from datasets.api.console import urls as datasets
from difyproj.tiers import features_off
from workflows.api.console import urls as workflows

built = [*accounts.urlpatterns, *apps.urlpatterns, *datasets.urlpatterns, *workflows.urlpatterns]
urlpatterns = [*built, *features_off.patterns(beside=built)]
