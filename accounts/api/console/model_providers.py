"""Model providers: their list, their models, the tenant's defaults and their icons."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.services import model_credentials, model_settings, providers
from difyproj.kernel.errors import InvalidParam
from difyproj.tiers.actions import Deferred
from difyproj.tiers.console import ConsoleViewSet, OpenConsoleViewSet

from .. import model_records as records
from . import model_requests as requests
from .icons import drawn

SUCCESS = {"result": "success"}


class Providers(ConsoleViewSet):
    tag = "Models"
    needs = {"list": "model.view"}

    @extend_schema(
        operation_id="listModelProviders",
        parameters=[requests.OptionalModelTypeFields],
        responses=records.ProviderList,
    )
    def list(self, request: Request) -> Response:
        model_type = self.query(requests.OptionalModelTypeFields).get("model_type")
        found = providers.list_all(self.principal, providers.parse_type(model_type) if model_type else None)
        return Response({"data": records.ProviderRecord(found, many=True).data})


class PreferredType(ConsoleViewSet):
    tag = "Models"
    needs = {"create": "model.configure"}

    @extend_schema(operation_id="preferProviderType", request=requests.PreferredFields, responses=records.ResultRecord)
    def create(self, request: Request, provider: str) -> Response:
        providers.resolve(provider)
        if self.body(requests.PreferredFields)["preferred_provider_type"] != "custom":
            raise InvalidParam("This installation gives no quota of its own.", params="preferred_provider_type")
        return Response(SUCCESS)


class ProviderModels(ConsoleViewSet):
    tag = "Models"
    needs = {"list": "model.view", "create": "model.configure", "destroy": "model.configure"}

    @extend_schema(operation_id="listProviderModels", responses=records.ProviderModelList)
    def list(self, request: Request, provider: str) -> Response:
        return Response(records.ProviderModelList(providers.models(self.principal, provider)).data)

    @extend_schema(operation_id="configureProviderModel", request=requests.ModelChoiceFields, responses=records.ResultRecord)
    def create(self, request: Request, provider: str) -> Deferred:
        own, fields = providers.resolve(provider), self.body(requests.ModelChoiceFields)
        principal, tenant, account = self.principal, self.tenant, self.account

        async def choose() -> Response:
            await model_credentials.choose(
                principal=principal,
                tenant=tenant,
                provider=own,
                model_type=fields["model_type"],
                model=fields["model"],
                credential_id=fields.get("credential_id") or None,
                values=fields.get("credentials"),
                name=fields.get("name") or None,
                balancing=fields.get("load_balancing"),
                created_by=account,
            )
            return Response(SUCCESS)

        return Deferred(choose)

    @extend_schema(operation_id="deleteProviderModel", request=requests.ModelFields, responses={204: None})
    def destroy(self, request: Request, provider: str) -> Response:
        own = providers.resolve(provider)
        model_settings.forget(tenant=self.tenant, provider=own, **self.body(requests.ModelFields))
        return Response(status=204)


class ModelSwitch(ConsoleViewSet):
    tag = "Models"
    needs = {"enable": "model.configure", "disable": "model.configure"}

    @extend_schema(operation_id="enableModel", request=requests.ModelFields, responses=records.ResultRecord)
    def enable(self, request: Request, provider: str) -> Response:
        return self._set(provider, True)

    @extend_schema(operation_id="disableModel", request=requests.ModelFields, responses=records.ResultRecord)
    def disable(self, request: Request, provider: str) -> Response:
        return self._set(provider, False)

    def _set(self, provider: str, enabled: bool) -> Response:
        own = providers.resolve(provider)
        model_settings.enable(tenant=self.tenant, provider=own, enabled=enabled, **self.body(requests.ModelFields))
        return Response(SUCCESS)


class ParameterRules(ConsoleViewSet):
    tag = "Models"
    needs = {"list": "model.view"}

    @extend_schema(operation_id="listParameterRules", parameters=[requests.ModelNameFields], responses=records.RuleList)
    def list(self, request: Request, provider: str) -> Response:
        rules = providers.parameter_rules(self.principal, provider, self.query(requests.ModelNameFields)["model"])
        return Response({"data": records.RuleRecord(rules, many=True).data})


class UsableModels(ConsoleViewSet):
    tag = "Models"
    needs = {"list": "model.view"}

    @extend_schema(operation_id="listUsableModels", responses=records.ModelGroupList)
    def list(self, request: Request, model_type: str) -> Response:
        found = providers.usable_models(self.principal, model_type)
        return Response({"data": records.ModelGroup(found, many=True).data})


class DefaultModels(ConsoleViewSet):
    tag = "Models"
    needs = {"retrieve": "model.view", "create": "model.configure"}

    @extend_schema(
        operation_id="getDefaultModel", parameters=[requests.ModelTypeFields], responses=records.DefaultModelEnvelope
    )
    def retrieve(self, request: Request) -> Response:
        found = providers.default_model(self.principal, self.query(requests.ModelTypeFields)["model_type"])
        return Response({"data": None if found is None else records.DefaultModelRecord(found).data})

    @extend_schema(operation_id="setDefaultModels", request=requests.DefaultModelsFields, responses=records.ResultRecord)
    def create(self, request: Request) -> Response:
        providers.choose_defaults(tenant=self.tenant, chosen=self.body(requests.DefaultModelsFields)["model_settings"])
        return Response(SUCCESS)


class ProviderIcon(OpenConsoleViewSet):
    """Pages show it in an ``img``, which sends no token; it says nothing about the workspace."""

    tag = "Models"

    @extend_schema(operation_id="getProviderIcon", responses={(200, "image/svg+xml"): OpenApiTypes.BINARY})
    def retrieve(self, request: Request, tenant_id: str, provider: str, icon_type: str, lang: str) -> HttpResponse:
        own = providers.resolve(provider)
        if icon_type not in providers.ICONS:
            raise providers.ProviderNotFound("There is no icon of this kind.")
        return drawn(own)


BASE = "workspaces/current/model-providers"

routes = [
    path("workspaces/current/default-model", DefaultModels.as_view({"get": "retrieve", "post": "create"})),
    path("workspaces/current/models/model-types/<str:model_type>", UsableModels.as_view({"get": "list"})),
    path(BASE, Providers.as_view({"get": "list"})),
    path(f"{BASE}/<path:provider>/models/enable", ModelSwitch.as_view({"patch": "enable"})),
    path(f"{BASE}/<path:provider>/models/disable", ModelSwitch.as_view({"patch": "disable"})),
    path(f"{BASE}/<path:provider>/models/parameter-rules", ParameterRules.as_view({"get": "list"})),
    path(f"{BASE}/<path:provider>/models", ProviderModels.as_view({"get": "list", "post": "create", "delete": "destroy"})),
    path(f"{BASE}/<path:provider>/preferred-provider-type", PreferredType.as_view({"post": "create"})),
]
icon_routes = [
    path(
        "workspaces/<uuid:tenant_id>/model-providers/<path:provider>/<str:icon_type>/<str:lang>",
        ProviderIcon.as_view({"get": "retrieve"}),
    ),
]
