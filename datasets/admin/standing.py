"""How far documents are, in words and for the script that keeps a page up to date."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.html import format_html

from datasets.models import UNFINISHED, Document, IndexingStatus
from difyproj.kernel import ids
from difyproj.tiers.admin_records import address, short

MOST_ASKED: Final = 100
FACES: Final = {IndexingStatus.COMPLETED: "done", IndexingStatus.ERROR: "failed", IndexingStatus.PAUSED: "paused"}


def face(obj: Document) -> str:
    """How it looks: at work, done, failed or paused."""
    return FACES.get(IndexingStatus(obj.indexing_status), "at-work")


def live(obj: Document) -> str:
    """Where the page's script finds what to keep up to date."""
    shown = (face(obj), "true" if obj.indexing_status in UNFINISHED else "false", obj.pk, told(obj))
    return format_html('<span class="live" data-face="{}" data-live="{}" data-document="{}">{}</span>', *shown)


def told(obj: Document) -> str:
    """How far it is, in a few words."""
    if obj.indexing_status == IndexingStatus.INDEXING:
        return f"{obj.completed_segments} of {obj.segment_count} segments"
    if obj.indexing_status == IndexingStatus.COMPLETED:
        return f"{obj.segment_count} segment{'' if obj.segment_count == 1 else 's'}"
    if obj.indexing_status == IndexingStatus.ERROR:
        return short(obj.error, 80) or "Failed"
    label: Any = obj.get_indexing_status_display()
    return str(label)


def progress(request: HttpRequest, model_admin: ModelAdmin[Any]) -> HttpResponse:
    """How far the named documents are; those that may not be seen, or are gone, are left out."""
    if not request.user.has_perm("datasets.view_document"):
        return JsonResponse({}, status=403)
    keys = [key for value in request.GET.getlist("id")[:MOST_ASKED] if (key := ids.parse(value))]
    found = {str(row.pk): _standing(row) for row in model_admin.get_queryset(request).filter(pk__in=keys)}
    return JsonResponse(found)


def _standing(row: Document) -> dict[str, Any]:
    total = row.segment_count if row.indexing_status == IndexingStatus.INDEXING else 0
    return {
        "text": told(row),
        "face": face(row),
        "address": address(row),
        "done": row.indexing_status not in UNFINISHED,
        "share": row.completed_segments / total if total else None,
    }
