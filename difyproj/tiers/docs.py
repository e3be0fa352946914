"""A tier's index and its OpenAPI document."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from .base import TierViewSet
from .errors import exception_handler
from .renderers import TierNegotiation


@extend_schema(exclude=True)
class ServiceIndex(TierViewSet):
    """GET /v1/: which server this is; no token needed."""

    authentication_classes = ()

    def retrieve(self, request: Request) -> Response:
        return Response({"welcome": "difyproj OpenAPI", "api_version": "v1", "server_version": settings.APP_VERSION})


TAGS = (
    "Chat Messages",
    "Completion Messages",
    "Workflow Runs",
    "Human Input",
    "Conversations",
    "Feedback",
    "Files",
    "Audio",
    "End Users",
    "Applications",
    "Runs",
    "OpenAI",
    "Knowledge Bases",
    "Documents",
    "Chunks",
    "Tags",
    "Metadata",
    "Models",
    "Knowledge Pipeline",
)
# Words like "status" have another set of values in each shape: they stand there, without a name.
UNNAMED: list[str] = []
SERVICE: dict[str, Any] = {
    "TITLE": "Service API",
    "DESCRIPTION": "Ask an app, follow its answers and keep what belongs to them; with a dataset key, fill and search "
    "datasets. Every error has the shape `ErrorBody`.",
    "VERSION": settings.APP_VERSION,
    "SERVERS": [{"url": "/v1"}],
    # PATCH is another name of PUT here, with the same body.
    "COMPONENT_SPLIT_PATCH": False,
    "TAGS": [{"name": name} for name in TAGS],
    "POSTPROCESSING_HOOKS": UNNAMED,
}
CONSOLE: dict[str, Any] = {
    "TITLE": "Console API",
    "DESCRIPTION": "What builders and administrators do: accounts, workspaces, models, apps and their logs.",
    "VERSION": settings.APP_VERSION,
    "SERVERS": [{"url": "/console/api"}],
    "COMPONENT_SPLIT_PATCH": False,
    "POSTPROCESSING_HOOKS": UNNAMED,
}
WEB: dict[str, Any] = {
    "TITLE": "Web API",
    "DESCRIPTION": "What the published page of an app asks for on behalf of its visitors.",
    "VERSION": settings.APP_VERSION,
    "SERVERS": [{"url": "/api"}],
    "COMPONENT_SPLIT_PATCH": False,
}


class TierSchema(SpectacularJSONAPIView):
    """The OpenAPI document of one tier, made from its routes."""

    custom_settings = SERVICE
    authentication_classes = ()
    permission_classes = ()
    content_negotiation_class = TierNegotiation

    def get_exception_handler(self) -> Any:
        return exception_handler
