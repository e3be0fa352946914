"""Apps and their sites."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery, TextField
from django.db.models.functions import Coalesce
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.models import ApiToken, App, Conversation, Message, Run, Site
from apps.services import app_defaults, apps, sites
from difyproj.tiers.admin import ServiceAdmin, adopt
from difyproj.tiers.admin_records import BY_TENANT, links, list_address

from .forms import AppForm, KnowingAppForm, NewAppForm

KNOWLEDGE = "Knowledge"
STATUS_COLOURS = {"normal": "success", "suspended": "danger"}


@admin.register(App)
class AppAdmin(ServiceAdmin):
    empty_text = "An app is what integrators talk to: a model, a prompt and a token. Add the first one here."
    list_display = (
        "name",
        "mode",
        "tenant",
        "shown_status",
        "has_api",
        "active_tokens",
        "conversation_count",
        "message_count",
        "updated_at",
    )
    list_filter = (BY_TENANT, ("mode", ChoicesDropdownFilter), ("status", ChoicesDropdownFilter), "enable_api")
    list_filter_submit = True
    search_fields = ("name", "description", "tenant__name")
    search_help_text = "Name, description or tenant"
    autocomplete_fields = ("tenant",)
    form = AppForm
    fieldsets = (
        (None, {"fields": ("name", "description", "tenant", "mode", "leads_to")}),
        ("Service", {"fields": (("status", "max_active_requests"), ("enable_api", "enable_site"))}),
        (KNOWLEDGE, {"fields": ("knowledge", "names_sources")}),
        ("Configuration", {"fields": ("config",)}),
        ("Times", {"fields": (("created_at", "updated_at"),)}),
    )
    readonly_fields = ("tenant", "mode", "leads_to", "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[App]:
        rows: QuerySet[App] = super().get_queryset(request).select_related("tenant")
        return rows.annotate(
            token_total=_count(ApiToken.objects.filter(is_active=True)),
            conversation_total=_count(Conversation.objects.all()),
            message_total=_count(Message.objects.all()),
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm[App]]:
        form = NewAppForm if not change else KnowingAppForm if _chooses_knowledge(request, obj) else AppForm
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": NewAppForm.Meta.fields}),)
        knows = _chooses_knowledge(request, obj)
        return tuple(row for row in self.fieldsets if knows or row[0] != KNOWLEDGE)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj else ()

    @display(description="Status", ordering="status", label=STATUS_COLOURS)
    def shown_status(self, obj: App) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description="API", ordering="enable_api", boolean=True)
    def has_api(self, obj: App) -> bool:
        return obj.enable_api

    @display(description="Tokens", ordering="token_total")
    def active_tokens(self, obj: Any) -> int:
        return int(obj.token_total)

    @display(description="Conversations", ordering="conversation_total")
    def conversation_count(self, obj: Any) -> int:
        return int(obj.conversation_total)

    @display(description="Messages", ordering="message_total")
    def message_count(self, obj: Any) -> int:
        return int(obj.message_total)

    @display(description="See its")
    def leads_to(self, obj: App) -> str:
        names = {"tokens": ApiToken, "conversations": Conversation, "messages": Message, "runs": Run}
        return links((list_address(model, app__id__exact=obj.pk), name) for name, model in names.items())

    def save_model(self, request: HttpRequest, obj: App, form: Any, change: bool) -> None:
        if change:
            if changes := form.changes():
                apps.update(obj, **changes)
            return
        row = apps.create(
            tenant=obj.tenant,
            name=obj.name,
            mode=obj.mode,
            config=obj.config,
            description=obj.description,
            created_by_id=request.user.pk,
        )
        adopt(obj, row)


def _chooses_knowledge(request: HttpRequest, app: App) -> bool:
    """Graphs have nodes for it."""
    return app.mode not in app_defaults.GRAPH_MODES and request.user.has_perm("datasets.view_dataset")


def _count(rows: QuerySet[Any]) -> Coalesce:
    """How many of the rows belong to the app at hand."""
    of_app = rows.filter(app=OuterRef("pk")).order_by().values("app")
    return Coalesce(Subquery(of_app.annotate(total=Count("pk")).values("total")), 0)


@admin.register(Site)
class SiteAdmin(ServiceAdmin):
    empty_text = "Each app gets its site when it is made."
    list_display = ("title", "app", "code", "is_open", "default_language", "updated_at")
    search_fields = ("title", "code", "app__name")
    search_help_text = "Title, code or app"
    list_select_related = ("app",)
    formfield_overrides = {TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})}}
    readonly_fields = ("app", "code", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("app", "code", "title", "description", "default_language", "input_placeholder")}),
        ("Looks", {"fields": (("icon_type", "icon", "icon_background"), ("chat_color_theme", "chat_color_theme_inverted"))}),
        ("Answers", {"fields": (("show_workflow_steps", "use_icon_as_answer_icon"),)}),
        ("Small print", {"fields": ("copyright", "privacy_policy", "custom_disclaimer")}),
        ("Times", {"fields": (("created_at", "updated_at"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Site]:
        rows: QuerySet[Site] = super().get_queryset(request)
        return rows.select_related("app")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(description="Served", ordering="app__enable_site", boolean=True)
    def is_open(self, obj: Site) -> bool:
        return obj.app.enable_site

    def save_model(self, request: HttpRequest, obj: Site, form: Any, change: bool) -> None:
        sites.update(obj, **{name: form.cleaned_data[name] for name in form.changed_data})
