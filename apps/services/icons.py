"""Icons that are images: an app's or site's ``icon`` then names an upload of its own workspace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from apps.models import UploadFile
from difyproj.kernel import ids

from . import files

IMAGE, LINK = "image", "link"


class HasIcon(Protocol):
    icon_type: str
    icon: str


def urls(tenant_id: UUID, rows: Iterable[HasIcon]) -> dict[str, str]:
    """Addresses of the rows' images by ``icon``: one query when there is an image, none otherwise.

    An upload of another workspace has no address here, whoever wrote its id.
    """
    shown = list(rows)
    found = {row.icon: row.icon for row in shown if row.icon_type == LINK and row.icon.startswith(("http://", "https://"))}
    named = {key: row.icon for row in shown if row.icon_type == IMAGE and (key := ids.parse(row.icon))}
    if named:
        for upload in UploadFile.objects.for_tenant(tenant_id).filter(pk__in=named):
            found[named[upload.pk]] = files.signed_url(upload)
    return found


def url(tenant_id: UUID, row: HasIcon) -> str | None:
    return urls(tenant_id, [row]).get(row.icon)
