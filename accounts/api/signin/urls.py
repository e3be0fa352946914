"""Below ``/signin``. allauth's own pages have no address here."""

from __future__ import annotations

from django.urls import path

from . import pages

urlpatterns = [
    path("signin", pages.entrance),
    path("signin/done", pages.done),
    path("signin/code", pages.second_factor),
    path("signin/with/<str:provider>", pages.begin),
    path("signin/with/<str:provider>/callback", pages.callback),
]
