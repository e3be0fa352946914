"""Credentials of model providers and of single models: written, checked, switched, and only ever shown masked."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ModelCredential
from accounts.services import checked_credentials, credentials, model_credentials, providers
from accounts.services.model_credentials import ModelCredentials
from apps.generation import cooling_seconds
from difyproj.tiers.actions import Deferred
from difyproj.tiers.console import ConsoleViewSet

from .. import model_records as records
from . import model_requests as requests
from .model_providers import BASE, SUCCESS

CONFIGURE = "model.configure"


class CredentialViewSet(ConsoleViewSet):
    """What the routes for a provider's and for a model's credentials share; a body with ``model`` means the model's."""

    tag = "Models"
    needs = dict.fromkeys(("retrieve", "create", "update", "destroy", "switch", "check"), CONFIGURE)

    def found(self, provider: str, fields: dict[str, Any]) -> ModelCredential:
        return credentials.get(self.principal, providers.resolve(provider), fields["credential_id"], **kind(fields))

    def keep_new(self, provider: str, fields: dict[str, Any]) -> Deferred:
        make = partial(
            checked_credentials.create,
            tenant=self.tenant,
            provider=providers.resolve(provider),
            values=fields["credentials"],
            name=fields.get("name") or "",
            created_by=self.account,
            **kind(fields),
        )

        async def keep() -> Response:
            await make()
            return Response(SUCCESS, status=201)

        return Deferred(keep)

    def keep_changed(self, provider: str, fields: dict[str, Any]) -> Deferred:
        row = self.found(provider, fields)

        async def keep() -> Response:
            await checked_credentials.update(credential=row, values=fields["credentials"], name=fields.get("name") or None)
            return Response(SUCCESS)

        return Deferred(keep)

    def checked(self, provider: str, fields: dict[str, Any], kept: ModelCredential | None = None) -> Deferred:
        """Asks the provider; ``kept`` is the credential whose secrets stand behind masks."""
        own = providers.resolve(provider)

        async def ask() -> Response:
            told = await checked_credentials.verdict(
                provider=own, values=fields["credentials"], model=fields.get("model", ""), kept=kept
            )
            return Response(SUCCESS if told is None else {"result": "error", "error": told})

        return Deferred(ask)


class ProviderCredentials(CredentialViewSet):
    @extend_schema(
        operation_id="getProviderCredential",
        parameters=[requests.OptionalCredentialIdFields],
        responses=records.CredentialRecord,
    )
    def retrieve(self, request: Request, provider: str) -> Response:
        wanted = self.query(requests.OptionalCredentialIdFields).get("credential_id") or None
        row = credentials.find(self.principal, providers.resolve(provider), wanted)
        return Response({"credentials": None if row is None else credentials.masked(row)})

    @extend_schema(
        operation_id="addProviderCredential",
        request=requests.NewCredentialFields,
        responses={201: records.ResultRecord},
    )
    def create(self, request: Request, provider: str) -> Deferred:
        return self.keep_new(provider, self.body(requests.NewCredentialFields))

    @extend_schema(
        operation_id="changeProviderCredential",
        request=requests.ChangedCredentialFields,
        responses=records.ResultRecord,
    )
    def update(self, request: Request, provider: str) -> Deferred:
        return self.keep_changed(provider, self.body(requests.ChangedCredentialFields))

    @extend_schema(operation_id="deleteProviderCredential", request=requests.CredentialIdFields, responses={204: None})
    def destroy(self, request: Request, provider: str) -> Response:
        credentials.delete(credential=self.found(provider, self.body(requests.CredentialIdFields)))
        return Response(status=204)

    @extend_schema(
        operation_id="switchProviderCredential",
        request=requests.CredentialIdFields,
        responses=records.ResultRecord,
    )
    def switch(self, request: Request, provider: str) -> Response:
        credentials.switch(credential=self.found(provider, self.body(requests.CredentialIdFields)))
        return Response(SUCCESS)

    @extend_schema(operation_id="validateProviderCredential", request=requests.ValuesFields, responses=records.CheckRecord)
    def check(self, request: Request, provider: str) -> Deferred:
        return self.checked(provider, self.body(requests.ValuesFields))


class ModelCredentialRoutes(CredentialViewSet):
    @extend_schema(
        operation_id="getModelCredential",
        parameters=[requests.ModelCredentialQuery],
        responses=records.ModelCredentialRecord,
    )
    def retrieve(self, request: Request, provider: str) -> Response:
        fields, own = self.query(requests.ModelCredentialQuery), providers.resolve(provider)
        wanted = fields.get("credential_id") or None
        return Response(shown(own, model_credentials.describe(self.principal, own, credential_id=wanted, **kind(fields))))

    @extend_schema(
        operation_id="addModelCredential",
        request=requests.NewModelCredentialFields,
        responses={201: records.ResultRecord},
    )
    def create(self, request: Request, provider: str) -> Deferred:
        return self.keep_new(provider, self.body(requests.NewModelCredentialFields))

    @extend_schema(
        operation_id="changeModelCredential",
        request=requests.ChangedModelCredentialFields,
        responses=records.ResultRecord,
    )
    def update(self, request: Request, provider: str) -> Deferred:
        return self.keep_changed(provider, self.body(requests.ChangedModelCredentialFields))

    @extend_schema(operation_id="deleteModelCredential", request=requests.ModelCredentialIdFields, responses={204: None})
    def destroy(self, request: Request, provider: str) -> Response:
        credentials.delete(credential=self.found(provider, self.body(requests.ModelCredentialIdFields)))
        return Response(status=204)

    @extend_schema(
        operation_id="switchModelCredential",
        request=requests.ModelCredentialIdFields,
        responses=records.ResultRecord,
    )
    def switch(self, request: Request, provider: str) -> Response:
        credentials.switch(credential=self.found(provider, self.body(requests.ModelCredentialIdFields)))
        return Response(SUCCESS)

    @extend_schema(operation_id="validateModelCredential", request=requests.ModelValuesFields, responses=records.CheckRecord)
    def check(self, request: Request, provider: str) -> Deferred:
        return self.checked(provider, self.body(requests.ModelValuesFields))


class BalancedCredentials(CredentialViewSet):
    needs = {"check": CONFIGURE, "check_one": CONFIGURE}

    @extend_schema(operation_id="validateBalancedCredential", request=requests.ModelValuesFields, responses=records.CheckRecord)
    def check(self, request: Request, provider: str) -> Deferred:
        return self.checked(provider, self.body(requests.ModelValuesFields))

    @extend_schema(
        operation_id="validateKnownBalancedCredential",
        request=requests.ModelValuesFields,
        responses=records.CheckRecord,
    )
    def check_one(self, request: Request, provider: str, config_id: str) -> Deferred:
        fields, own = self.body(requests.ModelValuesFields), providers.resolve(provider)
        return self.checked(provider, fields, model_credentials.sharing(self.principal, own, config_id, **kind(fields)))


def kind(fields: dict[str, Any]) -> dict[str, str]:
    """Which credentials are meant: those of a model, or nothing for the provider's own."""
    return {name: fields[name] for name in ("model_type", "model") if name in fields}


def shown(provider: str, found: ModelCredentials) -> dict[str, Any]:
    configs = []
    for row in found.turns:
        rest = cooling_seconds(provider, str(row.pk))
        configs.append(
            {
                "id": str(row.pk),
                "name": row.name,
                "credentials": credentials.masked(row),
                "credential_id": str(row.pk),
                "enabled": row.pk in found.taking,
                "in_cooldown": rest > 0,
                "ttl": ceil(rest),
            }
        )
    return {
        "credentials": {} if found.shown is None else credentials.masked(found.shown),
        **records.current(found.own),
        "load_balancing": {"enabled": found.load_balancing_enabled, "configs": configs},
        "available_credentials": records.CredentialName(found.own, many=True).data,
    }


WRITES = {"post": "create", "put": "update", "delete": "destroy"}

# The model's routes come first: to the provider's they would look like a provider named "<provider>/models".
routes = [
    path(f"{BASE}/<path:provider>/models/credentials", ModelCredentialRoutes.as_view({"get": "retrieve", **WRITES})),
    path(f"{BASE}/<path:provider>/models/credentials/switch", ModelCredentialRoutes.as_view({"post": "switch"})),
    path(f"{BASE}/<path:provider>/models/credentials/validate", ModelCredentialRoutes.as_view({"post": "check"})),
    path(
        f"{BASE}/<path:provider>/models/load-balancing-configs/credentials-validate",
        BalancedCredentials.as_view({"post": "check"}),
    ),
    path(
        f"{BASE}/<path:provider>/models/load-balancing-configs/<str:config_id>/credentials-validate",
        BalancedCredentials.as_view({"post": "check_one"}),
    ),
    path(f"{BASE}/<path:provider>/credentials", ProviderCredentials.as_view({"get": "retrieve", **WRITES})),
    path(f"{BASE}/<path:provider>/credentials/switch", ProviderCredentials.as_view({"post": "switch"})),
    path(f"{BASE}/<path:provider>/credentials/validate", ProviderCredentials.as_view({"post": "check"})),
]
