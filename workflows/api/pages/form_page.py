"""The page of what a paused run asks: whoever has its address reads it and answers once, without an account or scripts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from csp.decorators import csp_replace
from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from apps import generation
from difyproj.kernel import errors
from difyproj.kernel.errors import DomainError
from difyproj.tiers import throttling
from workflows.models import HumanInputForm
from workflows.services import form_trials, forms
from workflows.services.form_trials import Trial

from . import form_fields

GROUP: Final = "web-form"
METHODS: Final = frozenset({"GET", "HEAD", "POST"})
POLICY: Final = {"script-src": [NONE], "style-src": [SELF], "connect-src": [NONE]}
BUTTONS: Final = frozenset({"primary", "default", "accent", "ghost"})
GONE: Final = 410


class FormResponse(HttpResponse):
    """Django notes the addresses that it refuses in its log. These hold a token, so they count as noted."""

    _has_been_logged = True


@csrf_exempt
@never_cache
@csp_replace(POLICY)  # type: ignore[arg-type]
def form(request: HttpRequest, form_token: str) -> HttpResponse:
    """The token is the authority, not a cookie: so nobody's browser can be made to answer who does not know it."""
    try:
        return _answer(request, form_token)
    except DomainError as error:
        return _closed(request, error)


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    if request.method not in METHODS:
        raise errors.MethodNotAllowed
    throttling.check_newcomer(request.META.get("REMOTE_ADDR") or None, group=GROUP)
    row = form_trials.get(token) if form_trials.is_trial(token) else forms.get(token)
    if request.method != "POST":
        return _asked(request, row)
    _demand_own_page(request)
    body = _body(request)
    typed = form_fields.sent(row.definition, body)
    if form_fields.needs_files(row.definition):
        return _asked(request, row, typed, status=400)
    told = _("Your answer has been sent. You can close this page.")
    try:
        if isinstance(row, Trial):
            form_trials.answer(row, action=body.get("action", ""), inputs=typed)
            told = _("This was a test: nothing was sent. You can close this page.")
        else:
            generation.submit_form(token, action=body.get("action", ""), inputs=typed)
    except errors.InvalidFormData as error:
        return _asked(request, row, typed, error, status=400)
    return _page(request, "form/told.html", {"heading": _("Thank you"), "message": told})


def _asked(
    request: HttpRequest,
    row: HumanInputForm | Trial,
    typed: Mapping[str, Any] | None = None,
    error: DomainError | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    field = (error.params or "").removeprefix("inputs.") if error else ""
    fields = form_fields.controls(row.definition, typed or {}, {field: error.message} if error else {})
    shown = {
        "title": row.title or _("A question for you"),
        "content": _text().page_of(str(row.definition.get("content") or ""), fields),
        "actions": _actions(row.definition),
        "needs_files": form_fields.needs_files(row.definition),
        "expires_at": row.expires_at,
        "message": error.message if error and field not in fields else "",
        "refused": bool(error),
    }
    return _page(request, "form/asked.html", shown, status=status)


def _actions(definition: Mapping[str, Any]) -> list[dict[str, str]]:
    """A form without any is sent by a button that chooses nothing."""
    stated = definition.get("actions") or [{"id": "", "title": _("Send"), "button_style": "primary"}]
    return [
        {
            "id": str(action.get("id")),
            "title": str(action.get("title") or action.get("id")),
            "style": style if (style := str(action.get("button_style"))) in BUTTONS else "default",
        }
        for action in stated
    ]


def _closed(request: HttpRequest, error: DomainError) -> HttpResponse:
    heading, status = _("This cannot be done"), error.status
    if isinstance(error, errors.HumanInputFormSubmitted):
        heading, status = _("Already answered"), GONE
    elif isinstance(error, errors.HumanInputFormExpired):
        heading, status = _("Too late"), GONE
    elif isinstance(error, errors.NotFound):
        heading = _("There is no such form")
    response = _page(request, "form/told.html", {"heading": heading, "message": error.message}, status=status)
    if error.retry_after is not None:
        response["Retry-After"] = str(max(1, round(error.retry_after)))
    if isinstance(error, errors.MethodNotAllowed):
        response["Allow"] = ", ".join(sorted(METHODS))
    return response


def _page(request: HttpRequest, template: str, shown: dict[str, Any], *, status: int = 200) -> HttpResponse:
    response = FormResponse(render_to_string(template, shown, request), status=status)
    response["X-Robots-Tag"] = "noindex"
    return response


def _body(request: HttpRequest) -> Mapping[str, str]:
    """Raises errors.BadRequest for a body that is too large, or none of a form."""
    try:
        return {name: str(value) for name, value in request.POST.items()}
    except (SuspiciousOperation, BadRequest, MultiPartParserError, OSError) as error:
        raise errors.BadRequest from error


def _demand_own_page(request: HttpRequest) -> None:
    """Browsers say from which page a form was sent. Raises Forbidden for another's."""
    said = request.headers.get("Origin") or request.headers.get("Referer")
    if said and _host(said) not in {request.get_host(), _host(settings.PUBLIC_URL)}:
        raise errors.Forbidden(_("The answer was sent from another page."))


def _host(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


urlpatterns = [path("form/<str:form_token>", form)]


@cache
def _text() -> Any:
    """The reader of Markdown waits for the first form: 4 MB."""
    return import_module("workflows.api.pages.form_text")
