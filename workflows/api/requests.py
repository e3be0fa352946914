"""What several tiers read."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.models import RunStatus
from difyproj.tiers.shapes import PageFields
from workflows.services.logs import Filters


class LogFields(PageFields):
    """Times are ISO 8601; ``created_by_account`` is an e-mail address."""

    keyword = serializers.CharField(required=False, default="", allow_blank=True, max_length=255)
    status = serializers.ChoiceField(RunStatus.values, required=False, default="", allow_blank=True)
    created_at__before = serializers.DateTimeField(required=False, allow_null=True, default=None)
    created_at__after = serializers.DateTimeField(required=False, allow_null=True, default=None)
    created_by_end_user_session_id = serializers.CharField(required=False, default="", allow_blank=True, max_length=255)
    created_by_account = serializers.CharField(required=False, default="", allow_blank=True, max_length=255)


def filters(fields: dict[str, Any]) -> Filters:
    return Filters(
        keyword=fields["keyword"],
        status=fields["status"],
        after=fields["created_at__after"],
        before=fields["created_at__before"],
        end_user=fields["created_by_end_user_session_id"],
        account=fields["created_by_account"],
    )
