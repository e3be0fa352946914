"""A workspace's features, with what its apps amount to."""

from __future__ import annotations

from typing import Any

from accounts.models import Tenant
from accounts.services import features
from apps.models import Annotation, App


def of(tenant: Tenant) -> dict[str, Any]:
    return {
        **features.of_tenant(tenant),
        "apps": features.used(App.objects.for_tenant(tenant).count()),
        "annotation_quota_limit": features.used(Annotation.objects.for_tenant(tenant).count()),
    }
