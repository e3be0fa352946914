"""Annotation replies: an app answers with what people wrote where a question means the same as one that they answered.

The index is the app's own, in a store like those of datasets; a job makes it say what the rows say. Until it has, what was
changed is not given: an annotation answers only while the index holds the hash of its question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from apps.models import Annotation, AnnotationHit, AnnotationReply, App
from datasets.models import IndexingTechnique
from datasets.rag.stores import Entry, Index
from datasets.services import models
from datasets.services.models import Embedder
from datasets.services.vectors import Check, Filling, hash_of
from datasets.stores import default_name, store_named
from difyproj.infra import jobs
from difyproj.infra.cache import Cached
from difyproj.infra.models import Job
from difyproj.kernel import ids
from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.model_runtime.base import ModelType

KIND: Final = "apps.annotation_reply"
BATCH: Final = 200
FLOAT_BYTES: Final = 4
# Beside the best one, others stand in for those that are gone or changed and still in the index.
CANDIDATES: Final = 8
# A question that is the same may differ from itself in the last digits.
NEARLY: Final = 1e-5

_replies: Cached[Reply | None] = Cached("annotation_replies", ttl=300.0, max_entries=10_000)


class ReplyNotFound(NotFound):
    default_message = "Annotation setting not found."


class ReplyJobNotFound(InvalidParam):
    default_message = "The job does not exist."


class _Overtaken(Exception):
    """Somebody chose otherwise meanwhile; another job does what they chose."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a run needs of an app's setting."""

    tenant_id: UUID
    app_id: UUID
    threshold: float
    provider: str
    model: str
    store: str
    index: Index

    def embedder(self) -> Embedder:
        """Raises what models raise that cannot be called."""
        made = models.embedder_of(self.tenant_id, IndexingTechnique.HIGH_QUALITY, self.provider, self.model)
        assert made is not None
        return made


@dataclass(frozen=True, slots=True)
class Match:
    """The annotation whose question is nearest, and how near: 1 is the same."""

    annotation: Annotation
    score: float


def of_app(app: App) -> Reply | None:
    """The setting of an app that answers by annotations; None for others. No query while warm."""
    return _replies.get(app.pk, lambda: _load(app))


def setting(app: App) -> AnnotationReply | None:
    """What people chose, None where they never did or turned it off."""
    return AnnotationReply.objects.for_tenant(app.tenant_id).filter(app=app, wanted=True).first()


@transaction.atomic
def enable(app: App, *, provider: str, model: str, score_threshold: float, by: UUID | None) -> Job:
    """Answers begin when the job is done. Raises ProviderNotInitialize or ModelNotSupported for a model that cannot embed."""
    chosen = models.callable_model(app.tenant_id, provider, model, ModelType.TEXT_EMBEDDING)
    _demand_threshold(score_threshold)
    row = _locked(app) or AnnotationReply(tenant_id=app.tenant_id, app=app, store=default_name())
    if (row.provider, row.model) != (chosen.provider, chosen.model):
        if row.provider:
            _drop(row)
        row.provider, row.model, row.dimensions, row.enabled = chosen.provider, chosen.model, 0, False
    row.wanted, row.score_threshold, row.account_id = True, score_threshold, by
    row.save()
    return _enqueue(app, by)


@transaction.atomic
def disable(app: App, *, by: UUID | None) -> Job:
    """Nothing is answered by annotations from now on; the job forgets the index."""
    row = _locked(app)
    if row is not None:
        row.wanted = row.enabled = False
        row.save()
    return _enqueue(app, by)


@transaction.atomic
def change(app: App, setting_id: UUID | str, *, score_threshold: float) -> AnnotationReply:
    """Raises ReplyNotFound, InvalidParam."""
    _demand_threshold(score_threshold)
    row = _locked(app)
    if row is None or row.pk != ids.parse(setting_id) or not row.wanted:
        raise ReplyNotFound
    row.score_threshold = score_threshold
    row.save()
    return row


def job(app: App, job_id: UUID | str) -> Job:
    """A job of this app's setting. Raises ReplyJobNotFound."""
    key = ids.parse(job_id)
    rows = Job.objects.filter(kind=KIND, tenant_id=app.tenant_id, target_id=str(app.pk))
    found = rows.filter(pk=key).first() if key else None
    if found is None:
        raise ReplyJobNotFound
    return found


def changed(app_id: UUID, tenant_id: UUID, *, by: UUID | None = None) -> None:
    """Annotations of the app were written: its index follows, where it has one."""
    if AnnotationReply.objects.for_tenant(tenant_id).filter(app_id=app_id, wanted=True).exists():
        jobs.enqueue(KIND, app_id, tenant_id=tenant_id, created_by_id=by)


def forget(app: App, keys: Sequence[UUID]) -> None:
    """Annotations go, in the transaction that is open: so do their entries. The setting is locked first, as by the job."""
    row = _locked(app) if keys else None
    if row is not None:
        store_named(row.store).remove(_index(row), nodes=keys)


@transaction.atomic
def forget_all(app: App) -> None:
    """The app is removed."""
    row = _locked(app)
    if row is not None:
        store_named(row.store).drop(_index(row))


def bring_up_to_date(app_id: UUID | str, claim: UUID, check: Check) -> int:
    """What the job does, safe to be done again: how many annotations it indexed. Raises what the model raises."""
    row = AnnotationReply.objects.select_related("app").filter(app_id=app_id).first()
    if row is None:
        return 0
    if not row.wanted:
        with transaction.atomic():
            held = _locked(row.app)
            if held is not None and not held.wanted:
                _drop(held)
                held.save()
        return 0
    try:
        return _catch_up(row, claim, check)
    except _Overtaken:
        return 0


def _catch_up(row: AnnotationReply, claim: UUID, check: Check) -> int:
    written = 0
    while batch := list(Annotation.objects.filter(app_id=row.app_id, indexed="").order_by("pk")[:BATCH]):
        written += _index_some(row, batch, claim, check)
        check()
    _begin(row)
    return written


def nearest(reply: Reply, vector: bytes) -> Match | None:
    """The annotation that answers a question with this vector, if one is near enough."""
    if len(vector) != reply.index.dimensions * FLOAT_BYTES:
        return None
    found = store_named(reply.store).nearest(reply.index, vector, top_k=CANDIDATES)
    near = {one.node_id: one.score for one in found if one.score + NEARLY >= reply.threshold}
    if not near:
        return None
    rows = Annotation.objects.for_tenant(reply.tenant_id).filter(app_id=reply.app_id, pk__in=near).exclude(indexed="")
    best = max(rows, key=lambda row: (near[row.pk], row.created_at), default=None)
    return None if best is None else Match(best, near[best.pk])


@transaction.atomic
def note(match: Match, *, message_id: UUID | None, question: str, source: str) -> None:
    """The annotation was given as an answer."""
    row = match.annotation
    Annotation.objects.filter(pk=row.pk).update(hit_count=F("hit_count") + 1)
    AnnotationHit.objects.create(
        tenant_id=row.tenant_id, app_id=row.app_id, annotation=row, message_id=message_id, question=question, source=source,
        score=match.score, annotation_question=row.question, annotation_content=row.content,
    )  # fmt: skip


def _index_some(row: AnnotationReply, batch: Sequence[Annotation], claim: UUID, check: Check) -> int:
    """One batch. What was changed meanwhile is left for the next one; with another model nothing is written."""
    reply = _reply(row)
    hashes = {one.pk: hash_of(one.question) for one in batch}
    vectors = Filling(reply.embedder(), claim, check).of({hashes[one.pk]: one.question for one in batch})
    with transaction.atomic():
        held = _locked(row.app)
        if held is None or not held.wanted or (held.provider, held.model) != (row.provider, row.model):
            raise _Overtaken
        if not held.dimensions:
            held.dimensions = len(next(iter(vectors.values()))) // FLOAT_BYTES
            held.save()
        rows = list(Annotation.objects.select_for_update().filter(pk__in=hashes))
        same = [one for one in rows if hash_of(one.question) == hashes[one.pk]]
        entries = [Entry(one.pk, one.pk, one.pk, "", vectors[hashes[one.pk]]) for one in same]
        if entries:
            store_named(held.store).put(_index(held), entries)
        for one in same:
            one.indexed = hashes[one.pk]
        Annotation.objects.bulk_update(same, ["indexed"])
    return len(same)


@transaction.atomic
def _begin(row: AnnotationReply) -> None:
    held = _locked(row.app)
    if held is not None and held.wanted and not held.enabled and (held.provider, held.model) == (row.provider, row.model):
        held.enabled = True
        held.save()


def _drop(row: AnnotationReply) -> None:
    """The whole index; whatever is built next is another one."""
    store_named(row.store).drop(_index(row))
    Annotation.objects.filter(app_id=row.app_id).exclude(indexed="").update(indexed="")
    row.generation += 1
    row.dimensions = 0


def _index(row: AnnotationReply) -> Index:
    return Index(row.tenant_id, row.app_id, row.generation, row.dimensions)


def _locked(app: App) -> AnnotationReply | None:
    return AnnotationReply.objects.for_tenant(app.tenant_id).select_for_update().filter(app=app).first()


def _enqueue(app: App, by: UUID | None) -> Job:
    return jobs.enqueue(KIND, app.pk, tenant_id=app.tenant_id, created_by_id=by)


def _demand_threshold(value: float) -> None:
    if not 0 <= value <= 1:
        raise InvalidParam("score_threshold must be from 0 to 1.", params="score_threshold")


def _load(app: App) -> Reply | None:
    row = AnnotationReply.objects.for_tenant(app.tenant_id).filter(app=app, enabled=True, wanted=True).first()
    return None if row is None else _reply(row)


def _reply(row: AnnotationReply) -> Reply:
    return Reply(row.tenant_id, row.app_id, row.score_threshold, row.provider, row.model, row.store, _index(row))


@receiver((post_save, post_delete), sender=AnnotationReply, dispatch_uid="forget_annotation_reply")
def _forget(instance: AnnotationReply, **_: Any) -> None:
    _replies.invalidate(instance.app_id)
