"""Annotations: answers that people wrote for questions of an app; one by one, from a log line, or from a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q

from apps.models import Annotation, AnnotationHit, App, Message, UploadFile
from difyproj.infra import jobs
from difyproj.infra.models import Job
from difyproj.infra.paging import Page, page_of
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import FileTooLarge, InvalidParam, NotFound
from difyproj.kernel.principal import Principal

from . import annotation_reply
from .messages import MessageNotFound

IMPORT_KIND: Final = "apps.annotation_import"
MEGABYTE: Final = 1024 * 1024
LONGEST_TEXT: Final = 20_000
HEADINGS: Final = ({"question", "answer"}, {"问题", "答案"})
BATCH: Final = 500


class AnnotationNotFound(NotFound):
    default_message = "Annotation Not Exists."


class ImportNotFound(InvalidParam):
    default_message = "The job does not exist."


def page(app: App, *, page: int, limit: int, keyword: str = "") -> Page[Annotation]:
    """The app's annotations, newest first; ``keyword`` is looked for in questions and answers."""
    rows = _of(app)
    if keyword:
        rows = rows.filter(Q(question__icontains=keyword) | Q(content__icontains=keyword))
    return page_of(rows, page=page, limit=limit)


def get(app: App, annotation_id: UUID | str) -> Annotation:
    """An annotation of the app. Raises AnnotationNotFound."""
    key = ids.parse(annotation_id)
    found = _of(app).filter(pk=key).first() if key else None
    if found is None:
        raise AnnotationNotFound
    return found


@transaction.atomic
def create(app: App, *, question: str, answer: str, account_id: UUID | None = None) -> Annotation:
    row = Annotation.objects.create(
        tenant_id=app.tenant_id, app=app, question=_text(question, "question"), content=_text(answer, "answer"),
        account_id=account_id,
    )  # fmt: skip
    annotation_reply.changed(app.pk, app.tenant_id, by=account_id)
    return row


@transaction.atomic
def correct(app: App, message_id: str, *, answer: str, question: str = "", account_id: UUID | None = None) -> Annotation:
    """The annotation of a logged message, made or changed. Raises MessageNotFound."""
    key = ids.parse(message_id)
    rows = Message.objects.for_tenant(app.tenant_id).filter(app=app).select_for_update()
    message = rows.filter(pk=key).first() if key else None
    if message is None:
        raise MessageNotFound
    own = Annotation.objects.filter(message=message).first() or Annotation(
        tenant_id=app.tenant_id, app=app, message=message, conversation_id=message.conversation_id
    )
    own.account_id = account_id
    return _write(own, question or message.query, answer)


@transaction.atomic
def update(annotation: Annotation, *, question: str, answer: str) -> Annotation:
    return _write(annotation, question, answer)


def _write(row: Annotation, question: str, answer: str) -> Annotation:
    """Another question is not answered by it until the app's index holds it."""
    is_other = row._state.adding or row.question != question
    row.question, row.content = _text(question, "question"), _text(answer, "answer")
    if is_other:
        row.indexed = ""
    # What the index holds is written by the job alone, unless the question is another one.
    columns = ["question", "content", "account_id", "updated_at", *(["indexed"] if is_other else [])]
    row.save(update_fields=None if row._state.adding else columns)
    if is_other:
        annotation_reply.changed(row.app_id, row.tenant_id, by=row.account_id)
    return row


@transaction.atomic
def delete(annotation: Annotation) -> None:
    annotation_reply.forget(annotation.app, [annotation.pk])
    annotation.delete()


@transaction.atomic
def delete_some(app: App, annotation_ids: Sequence[str] | None) -> int:
    """Delete those of the app with these ids, all of them without ids; how many went."""
    rows = _of(app)
    if annotation_ids is not None:
        rows = rows.filter(pk__in=[key for value in annotation_ids if (key := ids.parse(value))])
    annotation_reply.forget(app, list(rows.values_list("pk", flat=True)))
    return rows.delete()[1].get("apps.Annotation", 0)


def count(app: App) -> int:
    return _of(app).count()


def everything(app: App) -> list[Annotation]:
    """The app's annotations for an export, newest first, as many as one answer holds."""
    return list(_of(app)[: settings.EXPORT_MAX_ROWS])


def hits(annotation: Annotation, *, page: int, limit: int) -> Page[AnnotationHit]:
    """When the annotation was given as an answer, newest first."""
    return page_of(AnnotationHit.objects.filter(annotation=annotation), page=page, limit=limit)


def check_import(file: UploadedFile) -> None:
    """Raises InvalidParam or FileTooLarge for a file that is not taken."""
    if not (file.name or "").lower().endswith(".csv"):
        raise InvalidParam("The file must be a CSV file.", params="file")
    if (file.size or 0) > settings.ANNOTATION_IMPORT_FILE_SIZE_LIMIT * MEGABYTE:
        raise FileTooLarge


@transaction.atomic
def begin_import(app: App, upload: UploadFile, asker: Principal) -> Job:
    """Start to take in the rows of an uploaded CSV file."""
    upload.app = app
    upload.save(update_fields=["app"])
    return jobs.enqueue(IMPORT_KIND, upload.pk, tenant_id=app.tenant_id, created_by_id=asker.actor_id)


def import_job(app: App, job_id: UUID | str) -> Job:
    """An import into this app. Raises ImportNotFound."""
    key = ids.parse(job_id)
    row = Job.objects.filter(pk=key, kind=IMPORT_KIND, tenant_id=app.tenant_id).first() if key else None
    if row is None or not UploadFile.objects.filter(pk=row.target_id, app=app).exists():
        raise ImportNotFound
    return row


def take_in(upload_id: str, *, job_id: UUID, account_id: UUID | None) -> Iterator[int]:
    """Write the rows of the file, batch by batch, giving how many are written. Done twice it writes nothing new: the id of a
    row follows from the job and its number. Raises InvalidParam for a file that cannot be read, before the first row.
    """
    upload = UploadFile.objects.select_related("app").get(pk=upload_id)
    app = upload.app
    if app is None:
        raise InvalidParam("The file belongs to no app.")
    with get_storage().open(upload.key) as stored:
        pairs = parse_csv(stored.read())
    for start in range(0, len(pairs), BATCH):
        batch = pairs[start : start + BATCH]
        Annotation.objects.bulk_create(
            [
                Annotation(
                    id=uuid5(job_id, str(number)),
                    tenant_id=app.tenant_id,
                    app=app,
                    question=question,
                    content=answer,
                    account_id=account_id,
                    created_at=clock.now(),
                )
                for number, (question, answer) in enumerate(batch, start)
            ],
            ignore_conflicts=True,
        )
        yield start + len(batch)
    annotation_reply.changed(app.pk, app.tenant_id, by=account_id)


def parse_csv(content: bytes) -> list[tuple[str, str]]:
    """(question, answer) of each row; a heading is left out. Raises InvalidParam that names the line."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidParam("The file must be a CSV file in UTF-8.", params="file") from error
    pairs: list[tuple[str, str]] = []
    try:
        for line, row in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), 1):
            pairs.extend(_pair(row, line))
    except csv.Error as error:
        raise InvalidParam(f"The file is not a valid CSV file: {error}.", params="file") from error
    if not pairs:
        raise InvalidParam("The file has no rows.", params="file")
    if len(pairs) > settings.ANNOTATION_IMPORT_MAX_RECORDS:
        raise InvalidParam(f"The file has more than {settings.ANNOTATION_IMPORT_MAX_RECORDS} rows.", params="file")
    return pairs


def _pair(row: list[str], line: int) -> list[tuple[str, str]]:
    values = [value.replace("\0", "").strip() for value in row]
    if not any(values) or (line == 1 and {value.lower() for value in values[:2]} in HEADINGS):
        return []
    if len(values) < 2 or not values[0] or not values[1]:
        raise InvalidParam(f"Line {line} needs a question and an answer.", params="file")
    if max(map(len, values[:2])) > LONGEST_TEXT:
        raise InvalidParam(f"Line {line} is longer than {LONGEST_TEXT} characters.", params="file")
    return [(values[0], values[1])]


def _text(value: str, field: str) -> str:
    if not value.strip():
        raise InvalidParam(f"{field} must not be empty.", params=field)
    return value


def _of(app: App) -> Any:
    return Annotation.objects.for_tenant(app.tenant_id).filter(app=app)
