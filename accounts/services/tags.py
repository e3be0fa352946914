"""Tags of a tenant: words that sort its apps, knowledge and snippets. What may carry one is checked where those rows stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet

from accounts.models import Account, Tag, TagBinding, TagType, Tenant
from difyproj.kernel import ids
from difyproj.kernel.errors import Forbidden, InvalidParam, NotFound
from difyproj.kernel.principal import Principal

MOST: Final = 1_000
"""Tags of one type in a tenant: the list has no pages."""
NEEDED: Final = {TagType.APP: "app.edit", TagType.KNOWLEDGE: "dataset.edit", TagType.SNIPPET: "app.edit"}


class TagNotFound(NotFound):
    default_message = "Tag not found."


class TagNameTaken(InvalidParam):
    default_message = "Tag name already exists."


class TooManyTags(InvalidParam):
    default_message = f"There are {MOST} tags of this type already."


def demand(principal: Principal, type: str) -> None:
    """Raises Forbidden for somebody who may not edit what such tags sort."""
    if not principal.can(NEEDED[TagType(type)]):
        raise Forbidden


def rows(principal: Principal, *, type: str = "", keyword: str = "") -> QuerySet[Tag]:
    """The tenant's tags by name, each with how many things carry it (``bound``)."""
    found = Tag.objects.visible_to(principal)
    if type:
        found = found.filter(type=type)
    if keyword:
        found = found.filter(name__icontains=keyword)
    return found.annotate(bound=Count("bindings")).order_by("name", "id")


def get(principal: Principal, tag_id: UUID | str) -> Tag:
    """Raises TagNotFound."""
    key = ids.parse(tag_id)
    found = rows(principal).filter(pk=key).first() if key else None
    if found is None:
        raise TagNotFound
    return found


@transaction.atomic
def create(*, principal: Principal, type: str, name: str, created_by: Account | None = None) -> Tag:
    """Raises TagNameTaken, TooManyTags and Forbidden."""
    demand(principal, type)
    tenant = Tenant.objects.select_for_update().get(pk=principal.tenant_id)
    if Tag.objects.for_tenant(tenant).filter(type=type).count() >= MOST:
        raise TooManyTags
    row = Tag(tenant=tenant, type=type, name=name, created_by=created_by)
    _save(row)
    return row


@transaction.atomic
def rename(*, principal: Principal, tag: Tag, name: str) -> Tag:
    """Raises TagNameTaken and Forbidden."""
    demand(principal, tag.type)
    tag.name = name
    _save(tag)
    return tag


def delete(*, principal: Principal, tag: Tag) -> None:
    """Whatever carried the tag carries it no more."""
    demand(principal, tag.type)
    tag.delete()


@transaction.atomic
def bind(*, principal: Principal, tag_ids: Sequence[UUID], type: str, target_id: UUID) -> None:
    """The target, which the caller has found to be the tenant's, carries these tags too. Raises TagNotFound."""
    demand(principal, type)
    wanted = set(tag_ids)
    tags = list(Tag.objects.visible_to(principal).select_for_update().filter(pk__in=wanted, type=type))
    if len(tags) != len(wanted):
        raise TagNotFound
    bound = TagBinding.objects.for_tenant(principal.tenant_id).filter(tag__in=tags, target_id=target_id)
    kept = set(bound.values_list("tag_id", flat=True))
    for tag in tags:
        if tag.pk not in kept:
            TagBinding.objects.create(tenant_id=principal.tenant_id, tag=tag, target_id=target_id)


@transaction.atomic
def unbind(*, principal: Principal, tag_ids: Sequence[UUID], type: str, target_id: UUID) -> None:
    """The target carries these tags no more; tags that it does not carry are left out."""
    demand(principal, type)
    rows = TagBinding.objects.for_tenant(principal.tenant_id)
    rows.filter(tag_id__in=set(tag_ids), tag__type=type, target_id=target_id).delete()


def _save(row: Tag) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise TagNameTaken(params="name") from error
