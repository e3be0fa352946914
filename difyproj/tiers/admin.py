"""The admin's kit: a service's refusal becomes a message on the page it came from."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from difyproj.kernel import jsonio
from difyproj.kernel.errors import DomainError

M = TypeVar("M", bound=Model)
NOTHING = "-"


class Rows(ChangeList):
    """A list that counts its rows once: when nothing narrows it, what it shows is all there is."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.get_filters_params():
            self.full_result_count = self.result_count


class ServiceAdmin(ModelAdmin):
    """Writes through services: ``save_model`` calls one, and what it refuses is told instead of failing.

    ``empty_text`` says what will stand in a list that has no rows yet.
    """

    empty_text = ""
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(request.get_full_path())

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)
        except DomainError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(request.get_full_path())

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Rows

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(ServiceAdmin):
    """Rows to look at, never to change."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def adopt(shown: M, row: M) -> None:
    """The admin goes on with the row that a service made in place of the form's own."""
    shown.pk = row.pk
    shown._state.adding = False


def as_written(value: str | None) -> str:
    """A long text with its line breaks."""
    return format_html('<div class="as-written">{}</div>', value) if value else NOTHING


def document(value: object) -> str:
    """A JSON value, indented."""
    return format_html('<pre class="as-written">{}</pre>', jsonio.indented(value)) if value else NOTHING
