"""How the tiers describe themselves in OpenAPI."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.serializers import ListSerializer

REFUSALS = {
    400: "The request, the app or its model does not fit; `code` says how.",
    401: "No token, or none that is known.",
    403: "The token may not do this, or its app is switched off.",
    404: "There is no such thing, or it is not the caller's.",
    409: "The Idempotency-Key belongs to another request, or its first request has no answer yet.",
    412: "It was answered before, or its time is over.",
    413: "The body or the file is too large.",
    415: "The content type cannot be read.",
    429: "Too many requests; `Retry-After` says when to come again.",
    500: "Our mistake.",
}
BODIES = ("POST", "PUT", "PATCH", "DELETE")
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 255 characters. A request repeated with its key has one effect and gets the same answer.",
)


class ErrorBody(serializers.Serializer[Any]):
    """Every error, except on the OpenAI-compatible routes."""

    code = serializers.CharField(help_text="A stable identifier.")
    message = serializers.CharField(help_text="For people.")
    status = serializers.IntegerField(help_text="The HTTP status once more.")
    params = serializers.CharField(required=False, help_text="The field that was wrong.")


class OpenAIError(serializers.Serializer[Any]):
    message = serializers.CharField(help_text="For people.")
    type = serializers.CharField(help_text="The kind of error.")
    param = serializers.CharField(allow_null=True, help_text="The field that was wrong.")
    code = serializers.CharField(help_text="A stable identifier.")


class OpenAIErrorBody(serializers.Serializer[Any]):
    """Every error on the OpenAI-compatible routes."""

    error = OpenAIError()


class ResultRecord(serializers.Serializer[Any]):
    result = serializers.CharField(default="success")


class ServiceSchema(AutoSchema):
    """JSON bodies (a DELETE's too), 200 unless a view says otherwise, and the error envelope for every refusal."""

    def get_tags(self) -> list[str]:
        return [getattr(self.view, "tag", "Applications")]

    def get_summary(self) -> str:
        words: str = re.sub(r"(?=[A-Z])", " ", self.get_operation_id())
        return words.capitalize()

    def get_description(self) -> str:  # type: ignore[override]
        """What the view says ``about`` itself; docstrings are for its readers."""
        return str(getattr(self.view, "about", ""))

    def map_parsers(self) -> list[str]:
        return ["application/json"]

    def get_override_parameters(self) -> list[Any]:
        return [IDEMPOTENCY] if self.method == "POST" else []

    def _is_create_operation(self) -> bool:
        return False

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Lists come in envelopes of their own, never as a bare array."""
        return False

    def _get_request_body(self, direction: Direction = "request") -> dict[str, Any] | None:
        method = self.method
        self.method = "POST" if method == "DELETE" else method
        try:
            body: dict[str, Any] | None = super()._get_request_body(direction)
        finally:
            self.method = method
        return body

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._refusals():
            if str(status) in bodies:
                continue  # the view says itself what it answers then
            described = OpenApiResponse(getattr(self.view, "error_body", ErrorBody), description=REFUSALS[status])
            bodies[str(status)] = self._get_response_for_code(described, str(status), ["application/json"], direction)
        return bodies

    def _refusals(self) -> list[int]:
        found = {401, 403, 429, 500, *getattr(self.view, "also_refuses", ())}
        if self.method in BODIES or "{" in self.path or self._get_parameters():
            found |= {400, 404}
        if self.method in BODIES:
            found |= {413, 415}
        if self.method == "POST":
            found.add(409)
        return sorted(found)


class ListSchema(ServiceSchema):
    """Of the few whose lists come as bare arrays."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        return isinstance(serializer, ListSerializer)


class AppTokenScheme(OpenApiAuthenticationExtension):
    target_class = "difyproj.tiers.authentication.AppTokenAuthentication"
    name = "ApiKeyAuth"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An app's API token."}


class DatasetTokenScheme(OpenApiAuthenticationExtension):
    target_class = "difyproj.tiers.authentication.DatasetTokenAuthentication"
    name = "DatasetKeyAuth"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A workspace's API token for its datasets."}


class ConsoleSchema(ServiceSchema):
    """The Console API: any write may meet a role that is too low."""

    def get_tags(self) -> list[str]:
        return [getattr(self.view, "tag", "Console")]

    def get_override_parameters(self) -> list[Any]:
        """Only debug runs take a key here."""
        return super().get_override_parameters() if getattr(self.view, "repeats_safely", False) else []

    def _is_list_view(self, serializer: Any = None) -> bool:
        """A few of the contract's lists come as bare arrays."""
        return isinstance(serializer, ListSerializer)


class WebSchema(ServiceSchema):
    """The Web API."""

    def get_tags(self) -> list[str]:
        return [getattr(self.view, "tag", "Web app")]

    def get_override_parameters(self) -> list[Any]:
        """Only questions take a key here."""
        return super().get_override_parameters() if getattr(self.view, "repeats_safely", False) else []


class ConsoleTokenScheme(OpenApiAuthenticationExtension):
    target_class = "difyproj.tiers.console.ConsoleAuthentication"
    name = "ConsoleAuth"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An account's access token, or the cookies of the sign-in."}


class PassportScheme(OpenApiAuthenticationExtension):
    target_class = "difyproj.tiers.web.PassportAuthentication"
    name = "PassportAuth"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "X-App-Passport", "description": "A passport of the site."}
