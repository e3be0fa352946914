"""Apps as the console lists them: filtered and sorted, and what stands beside each fetched for the whole page at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from accounts.models import Tag, TagBinding, TagType
from apps.models import App, AppStar
from apps.models.run import GRAPH_MODES
from difyproj.infra.paging import Page, page_of
from difyproj.kernel.principal import Principal
from workflows.models import Workflow
from workflows.services import versions

from . import icons
from .logs import account_names

SORTS: Final = {
    "last_modified": ("-updated_at", "-id"),
    "recently_created": ("-created_at", "-id"),
    "earliest_created": ("created_at", "id"),
}
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Filters:
    """An empty field filters nothing; of several tags or creators one is enough."""

    mode: str = ALL
    name: str = ""
    tag_ids: Sequence[UUID] = ()
    creator_ids: Sequence[UUID] = ()
    mine: bool = False
    starred: bool = False
    sort_by: str = "last_modified"


@dataclass(frozen=True, slots=True)
class Listed:
    """An app with what a list or its own page shows beside it."""

    app: App
    author_name: str
    tags: Sequence[Tag]
    is_starred: bool
    icon_url: str | None
    workflow: Workflow | None = None


def page(principal: Principal, filters: Filters, *, page: int, limit: int) -> Page[App]:
    """One page of the workspace's apps."""
    rows = App.objects.visible_to(principal)
    if filters.mode != ALL:
        rows = rows.filter(mode=filters.mode)
    if filters.name:
        rows = rows.filter(name__icontains=filters.name)
    if filters.tag_ids:
        bound = TagBinding.objects.for_tenant(principal.tenant_id).filter(tag_id__in=filters.tag_ids)
        rows = rows.filter(pk__in=bound.values("target_id"))
    if filters.creator_ids:
        rows = rows.filter(created_by_id__in=filters.creator_ids)
    if filters.mine:
        rows = rows.filter(created_by_id=principal.actor_id)
    if filters.starred:
        rows = rows.filter(stars__account_id=principal.actor_id)
    return page_of(rows.order_by(*SORTS[filters.sort_by]), page=page, limit=limit)


def listed(principal: Principal, rows: Sequence[App]) -> list[Listed]:
    """The rows with what stands beside them: five queries at most, however many they are."""
    keys = [row.pk for row in rows]
    names = account_names(row.created_by_id for row in rows)
    stars = AppStar.objects.visible_to(principal).filter(account_id=principal.actor_id, app_id__in=keys)
    starred = set(stars.values_list("app_id", flat=True))
    tags = tags_of(principal.tenant_id, keys)
    images = icons.urls(principal.tenant_id, rows)
    graphs = [row.pk for row in rows if row.mode in GRAPH_MODES]
    published = versions.newest_of(principal.tenant_id, graphs) if graphs else {}
    return [
        Listed(
            app=row,
            author_name=names.get(row.created_by_id, ""),
            tags=tags.get(row.pk, ()),
            is_starred=row.pk in starred,
            icon_url=images.get(row.icon),
            workflow=published.get(row.pk),
        )
        for row in rows
    ]


def tags_of(tenant_id: Any, app_ids: Sequence[UUID]) -> dict[UUID, list[Tag]]:
    """The tags of these apps in the order of their names, by the app's id."""
    found: dict[UUID, list[Tag]] = {}
    bound = TagBinding.objects.for_tenant(tenant_id).filter(target_id__in=app_ids, tag__type=TagType.APP)
    for binding in bound.select_related("tag").order_by("tag__name"):
        found.setdefault(binding.target_id, []).append(binding.tag)
    return found
