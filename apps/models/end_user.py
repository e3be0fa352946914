"""EndUser: a person behind an integrator's ``user`` string or a site's passport."""

from __future__ import annotations

from django.db import models

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids

from .app import App


class EndUserQuerySet(TenantQuerySet["EndUser"]):
    app_lookup = "app_id"


class EndUser(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="end_users", null=True, blank=True)
    type = models.CharField(max_length=32, help_text="Where the person comes from: service-api or web-app.")
    session_id = models.CharField(max_length=255)
    external_user_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001  null is on the wire
    name = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001  null is on the wire
    is_anonymous = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = EndUserQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["app", "type", "session_id"], name="one_end_user_per_session")]

    def __str__(self) -> str:
        return self.session_id
