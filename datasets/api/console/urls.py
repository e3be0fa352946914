"""The Console API's routes of the datasets room, without their prefix. Names that are no ids stand before those that are."""

from __future__ import annotations

from django.urls import URLPattern, path

from . import asked, datasets, documents, external_apis, segments, settings, starting
from .documents import Documents
from .starting import MoreDocuments


class DocumentsOfDataset(Documents, MoreDocuments):
    """All that one address serves."""

    needs = {**Documents.needs, **MoreDocuments.needs}


urlpatterns: list[URLPattern] = [
    *datasets.routes,
    *external_apis.routes,
    *settings.routes,
    *starting.routes,
    *datasets.routes_of_one,
    *settings.routes_of_one,
    path(
        f"{datasets.one}/documents",
        DocumentsOfDataset.as_view({"get": "list", "post": "create", "delete": "destroy_many"}),
    ),
    *starting.routes_of_one,
    *documents.routes,
    *segments.routes,
    *asked.routes,
]
