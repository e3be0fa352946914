"""Tags on datasets; the tags themselves are ``accounts.services.tags``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import transaction

from accounts.models import Tag, TagBinding, TagType
from accounts.services import tags
from datasets.models import Dataset
from difyproj.kernel.principal import Principal

from . import access


@transaction.atomic
def bind(*, principal: Principal, tag_ids: Sequence[UUID], target_id: UUID) -> None:
    """Raises DatasetNotFound, TagNotFound and Forbidden."""
    dataset = access.locked(principal, target_id)
    tags.bind(principal=principal, tag_ids=tag_ids, type=TagType.KNOWLEDGE, target_id=dataset.pk)


@transaction.atomic
def unbind(*, principal: Principal, tag_ids: Sequence[UUID], target_id: UUID) -> None:
    """As ``bind``; a tag that the dataset does not carry changes nothing."""
    dataset = access.locked(principal, target_id)
    tags.unbind(principal=principal, tag_ids=tag_ids, type=TagType.KNOWLEDGE, target_id=dataset.pk)


def of(datasets: Collection[Dataset]) -> dict[UUID, list[Tag]]:
    """The tags of each dataset that has some, by its id: one query."""
    found: dict[UUID, list[Tag]] = {}
    rows = TagBinding.objects.filter(target_id__in=[dataset.pk for dataset in datasets], tag__type=TagType.KNOWLEDGE)
    for binding in rows.select_related("tag").order_by("tag__name"):
        found.setdefault(binding.target_id, []).append(binding.tag)
    return found
