"""Apps: listed, made, changed, copied, exported, removed."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.models import App
from apps.services import app_list, app_removal, app_stars, apps, dsl
from difyproj.tiers.console import ConsoleViewSet

from ..records import SUCCESS, ResultRecord
from . import app_records, app_requests


class AppViewSet(ConsoleViewSet):
    """What the routes of single apps share: most answer the app's whole page."""

    tag = "Apps"

    def page_of(self, app: App, status: int = 200) -> Response:
        (shown,) = app_list.listed(self.principal, [app])
        return Response(app_records.AppDetail(shown).data, status=status)

    def change(self, app_id: str, **changes: Any) -> Response:
        return self.page_of(apps.update(self.app(app_id), updated_by_id=self.principal.actor_id, **changes))


class Apps(AppViewSet):
    needs = {
        "list": "app.view", "starred": "app.view", "create": "app.edit", "retrieve": "app.view", "update": "app.edit",
        "destroy": "app.edit", "copy": "app.edit", "export": "app.edit",
    }  # fmt: skip

    @extend_schema(operation_id="getApps", parameters=[app_requests.AppListFields], responses=app_records.AppPage)
    def list(self, request: Request) -> Response:
        return self._page(starred=False)

    @extend_schema(operation_id="getStarredApps", parameters=[app_requests.AppListFields], responses=app_records.AppPage)
    def starred(self, request: Request) -> Response:
        return self._page(starred=True)

    def _page(self, *, starred: bool) -> Response:
        fields = self.query(app_requests.AppListFields)
        filters = app_list.Filters(
            mode=fields["mode"],
            name=fields["name"] or fields["search"],
            tag_ids=fields["tag_ids"],
            creator_ids=fields["creator_ids"],
            mine=bool(fields["is_created_by_me"]),
            starred=starred,
            sort_by=fields["sort_by"],
        )
        found = app_list.page(self.principal, filters, page=fields["page"], limit=fields["limit"])
        return Response(found.body(lambda rows: app_records.AppRecord(app_list.listed(self.principal, rows), many=True).data))

    @extend_schema(operation_id="createApp", request=app_requests.NewAppFields, responses={201: app_records.AppDetail})
    def create(self, request: Request) -> Response:
        fields = self.body(app_requests.NewAppFields)
        return self.page_of(apps.create(tenant=self.tenant, created_by_id=self.principal.actor_id, **fields), 201)

    @extend_schema(operation_id="getApp", responses=app_records.AppDetail)
    def retrieve(self, request: Request, app_id: str) -> Response:
        return self.page_of(self.app(app_id))

    @extend_schema(operation_id="updateApp", request=app_requests.AppFields, responses=app_records.AppDetail)
    def update(self, request: Request, app_id: str) -> Response:
        return self.change(app_id, **self.body(app_requests.AppFields))

    @extend_schema(operation_id="deleteApp", request=None, responses={204: None})
    def destroy(self, request: Request, app_id: str) -> Response:
        generation.stop_all(app_removal.begin(self.app(app_id), by=self.principal.actor_id))
        return Response(status=204)

    @extend_schema(operation_id="copyApp", request=app_requests.CopyFields, responses={201: app_records.AppDetail})
    def copy(self, request: Request, app_id: str) -> Response:
        fields = self.body(app_requests.CopyFields)
        return self.page_of(dsl.copy(self.app(app_id), by=self.principal.actor_id, **fields), 201)

    @extend_schema(operation_id="exportApp", parameters=[app_requests.ExportFields], responses=app_records.AppExport)
    def export(self, request: Request, app_id: str) -> Response:
        fields = self.query(app_requests.ExportFields)
        found = dsl.export(
            self.app(app_id), include_secret=fields["include_secret"], workflow_id=fields.get("workflow_id") or ""
        )
        return Response({"data": found})


class AppName(AppViewSet):
    needs = {"create": "app.edit"}

    @extend_schema(operation_id="renameApp", request=app_requests.RenameFields, responses=app_records.AppDetail)
    def create(self, request: Request, app_id: str) -> Response:
        return self.change(app_id, **self.body(app_requests.RenameFields))


class AppIcon(AppViewSet):
    needs = {"create": "app.edit"}

    @extend_schema(operation_id="setAppIcon", request=app_requests.IconFields, responses=app_records.AppDetail)
    def create(self, request: Request, app_id: str) -> Response:
        return self.change(app_id, **self.body(app_requests.IconFields))


class AppSwitches(AppViewSet):
    needs = {"site": "app.edit", "api": "app.token"}

    @extend_schema(operation_id="switchSite", request=app_requests.SiteSwitchFields, responses=app_records.AppDetail)
    def site(self, request: Request, app_id: str) -> Response:
        return self.change(app_id, **self.body(app_requests.SiteSwitchFields))

    @extend_schema(operation_id="switchApi", request=app_requests.ApiSwitchFields, responses=app_records.AppDetail)
    def api(self, request: Request, app_id: str) -> Response:
        return self.change(app_id, **self.body(app_requests.ApiSwitchFields))


class AppStars(AppViewSet):
    needs = {"create": "app.view", "destroy": "app.view"}

    @extend_schema(operation_id="starApp", request=None, responses=ResultRecord)
    def create(self, request: Request, app_id: str) -> Response:
        app_stars.add(self.principal, self.app(app_id))
        return Response(SUCCESS)

    @extend_schema(operation_id="unstarApp", request=None, responses={200: ResultRecord})
    def destroy(self, request: Request, app_id: str) -> Response:
        app_stars.remove(self.principal, self.app(app_id))
        return Response(SUCCESS)


one = "apps/<str:app_id>"
routes = [
    path("apps", Apps.as_view({"get": "list", "post": "create"})),
    path("apps/starred", Apps.as_view({"get": "starred"})),
    path(one, Apps.as_view({"get": "retrieve", "put": "update", "delete": "destroy"})),
    path(f"{one}/copy", Apps.as_view({"post": "copy"})),
    path(f"{one}/export", Apps.as_view({"get": "export"})),
    path(f"{one}/name", AppName.as_view({"post": "create"})),
    path(f"{one}/icon", AppIcon.as_view({"post": "create"})),
    path(f"{one}/site-enable", AppSwitches.as_view({"post": "site"})),
    path(f"{one}/api-enable", AppSwitches.as_view({"post": "api"})),
    path(f"{one}/star", AppStars.as_view({"post": "create", "delete": "destroy"})),
]
