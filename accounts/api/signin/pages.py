"""The pages of signing in: which providers there are, the way to one and back, the second factor."""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from csp.decorators import csp_update
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from difyproj.kernel.errors import DomainError

from . import admission

LONGEST = 2000
# A form's answer may lead to the operator's console, wherever it is served.
CONSOLE = [f"{place.scheme}://{place.netloc}" for place in [urlsplit(settings.CONSOLE_WEB_URL)] if place.netloc]


@never_cache
@require_safe
def entrance(request: HttpRequest) -> HttpResponse:
    return admission.entrance(request)


@never_cache
@require_safe
def done(request: HttpRequest) -> HttpResponse:
    """Where people arrive when the operator has named no console of their own."""
    return render(request, "signin/done.html")


@never_cache
@require_safe
def begin(request: HttpRequest, provider: str) -> HttpResponse:
    """Off to the provider, with a state that only this browser's session knows."""
    _demand(provider)
    wishes = {name: request.GET.get(name, "")[:LONGEST] for name in ("invite_token", "language")}
    wishes["next"] = admission.checked_target(request.GET.get("redirect_url", "")[:LONGEST])
    try:
        response: HttpResponse = get_adapter(request).get_provider(request, provider).redirect(request, "login", data=wishes)
    except OAuth2Error as error:
        return admission.failed(request, None, error)
    return response


@never_cache
@require_safe
def callback(request: HttpRequest, provider: str) -> HttpResponse:
    """Back from the provider, with its code and our state."""
    _demand(provider)
    view = OAuth2CallbackView()
    view.request, view.adapter = request, get_adapter(request).get_provider(request, provider).get_oauth2_adapter(request)
    try:
        response: HttpResponse = view.dispatch(request)
    except OAuth2Error as error:
        return admission.failed(request, None, error)
    return response


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@csp_update({"form-action": CONSOLE} if CONSOLE else {})
def second_factor(request: HttpRequest) -> HttpResponse:
    message = ""
    if request.method == "POST":
        try:
            return admission.second_factor(request, request.POST.get("code", "")[:64])
        except DomainError as error:
            message = error.message
    return render(request, "signin/code.html", {"message": message}, status=400 if message else 200)


def _demand(provider: str) -> None:
    if provider not in settings.SIGN_IN_PROVIDERS:
        raise Http404
