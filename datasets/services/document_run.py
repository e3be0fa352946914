"""One attempt of a job at one document: goes on where the row says that it stands."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, TypeVar

from django.db.models import Exists, OuterRef, Q

from datasets.models import UNFINISHED, Document, IndexingStatus, Segment, SegmentStatus
from datasets.rag.extract.base import NeedsVision, Page
from datasets.rag.split import clean, split
from difyproj.infra import documents, inserts, jobs
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import InvalidParam

from . import indexing, pipeline, rules, told
from .passages import Passages

BATCH: Final = 100
LOOK_SECONDS: Final = 1.0
T = TypeVar("T")


class Stopped(Exception):
    """The document is paused, deleted, or another attempt's."""


def begin(document_id: str, job: jobs.Job) -> Run | None:
    """None when the job is not the one that the document waits for."""
    document = Document.objects.select_related("process_rule").filter(pk=document_id, job_id=job.id).first()
    if document is None:
        return None
    values: dict[str, Any] = {"run_id": ids.new_id()}
    if document.indexing_status in UNFINISHED and document.splitting_completed_at is None:
        began = document.processing_started_at or clock.now()
        values |= {"indexing_status": IndexingStatus.PARSING, "processing_started_at": began, "segment_count": 0}
    # Nobody signed it, nor changed its state, since it was read.
    seen = Document.objects.filter(job_id=job.id, run_id=document.run_id, indexing_status=document.indexing_status)
    if not seen.filter(pk=document.pk).update(**values):
        return None
    for name, value in values.items():
        setattr(document, name, value)
    return Run(document, job)


class Run:
    def __init__(self, document: Document, job: jobs.Job) -> None:
        self.document, self.job = document, job
        self._watch = Stopwatch(document.timings)
        self._looked_at = clock.monotonic()

    def advance(self) -> str:
        """How it ended, for the job's result. Raises what a stage raises."""
        try:
            if self.document.indexing_status in UNFINISHED:
                self._carry()
            elif self.document.indexing_status != IndexingStatus.COMPLETED:
                return "nothing to do"
            self._follow()
        except Stopped:
            return "stopped"
        return "completed"

    def fail(self, message: str) -> None:
        if self.document.indexing_status == IndexingStatus.COMPLETED:
            waiting = Segment.objects.filter(document=self.document, status=SegmentStatus.WAITING)
            waiting.update(status=SegmentStatus.ERROR, error=message[: pipeline.LONGEST_ERROR], stopped_at=clock.now())
            return
        self._own().update(**pipeline.failed(message))

    def _carry(self) -> None:
        if self.document.splitting_completed_at is None:
            self._split()
        with self._watch.running("indexing"):
            self._put(Q(status__in=[SegmentStatus.WAITING, SegmentStatus.INDEXING, SegmentStatus.ERROR]))
        timings = self._watch.seconds
        self._write(
            indexing_status=IndexingStatus.COMPLETED,
            completed_at=clock.now(),
            completed_segments=self.document.segment_count,
            timings={name: round(seconds, 3) for name, seconds in timings.items()},
            indexing_latency=round(sum(timings.values()), 3),
            error="",
        )

    def _follow(self) -> None:
        """What people did since: nothing, as a rule."""
        is_out = Q(enabled=True, index_node_hash="") & ~Q(status=SegmentStatus.ERROR)
        wanted = Q(status=SegmentStatus.WAITING) | is_out | (Q(enabled=False) & ~Q(index_node_hash=""))
        some = Segment.objects.filter(wanted, document=OuterRef("pk"))
        row = self._own().values_list("enabled", "archived", Exists(some)).first()
        if row is None:
            raise Stopped
        enabled, archived, is_behind = row
        if not enabled or archived:
            indexing.take_out(self.document)
        elif is_behind and self._put(wanted):
            count = Segment.objects.filter(document=self.document).count()
            self._write(segment_count=count, completed_segments=self._completed().count())

    def _split(self) -> None:
        rule = rules.parsed(self.document.process_rule)
        passages = Passages(self.document, self._write)
        with closing(self._pages()) as reading:
            pages = self._watch.timed("parsing", self._counted(reading, passages))
            cleaned = self._watch.timed("cleaning", clean(pages, rule))
            pieces = self._watch.timed("splitting", split(cleaned, rule, self.document.doc_form, ask=self._ask))
            with self._watch.running("splitting"):
                passages.take_all(pieces, self._check)
        if not passages.count:
            raise InvalidParam("The document holds no text.")
        now = clock.now()
        self._write(
            indexing_status=IndexingStatus.INDEXING,
            parsing_completed_at=now,
            cleaning_completed_at=now,
            splitting_completed_at=now,
            **passages.counts(),
            completed_segments=self._completed().count() if passages.kept else 0,
        )

    def _ask(self, passage: str) -> list[tuple[str, str]]:
        """Where a document of questions and answers holds none, a model makes them."""
        self._check()
        return self._teller().pairs(passage, self.document.doc_language)

    def _teller(self) -> told.Teller:
        return told.teller(self.document.tenant_id, self._check)

    def _counted(self, pages: Iterable[Page], passages: Passages) -> Iterator[Page]:
        for page in pages:
            self._check()
            passages.saw(page)
            yield page

    def _pages(self) -> Generator[Page, None, None]:
        own = self.document
        with get_storage().open(own.key) as file:
            try:
                owner = str(own.tenant_id)
                with documents.stream(file, extension=own.extension, mime_type=own.mime_type, owner=owner) as reading:
                    yield from reading
            except NeedsVision as picture:
                file.seek(0)
                yield self._teller().picture(file.read(), picture.mime_type or own.mime_type)

    def _put(self, which: Q) -> int:
        """Bring these into the index, batch by batch; how many there were."""
        asker = indexing.Asker(self.job.id, self._check, self._may_write)
        done = 0
        rows = Segment.objects.filter(which, document=self.document).order_by("position", "pk")
        batch: list[Segment] = []
        while (not done or len(batch) == BATCH) and (batch := list(rows[:BATCH])):
            # What is done lies behind: a large document is not looked through again with each batch.
            rows = rows.filter(position__gte=batch[-1].position)
            for segment in batch:
                segment.document = self.document
            if not indexing.put(self.document.dataset_id, batch, asker):
                raise Stopped
            done += len(batch)
            self.document.completed_segments += sum(segment.status != SegmentStatus.COMPLETED for segment in batch)
            self.job.progress(done)
        return done

    def _may_write(self, completed: int) -> bool:
        count = {"completed_segments": self.document.completed_segments + completed}
        return bool(inserts.update(Document, self.document.pk, count, run_id=self.document.run_id))

    def _check(self) -> None:
        self.job.check()
        if clock.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = clock.monotonic()
            if not self._own().exists():
                raise Stopped

    def _write(self, **values: Any) -> None:
        if not inserts.update(Document, self.document.pk, values, run_id=self.document.run_id):
            raise Stopped
        for name, value in values.items():
            setattr(self.document, name, value)

    def _own(self) -> Any:
        """As long as this attempt may write: whoever pauses, cancels, restarts or fails the document takes its signature."""
        return Document.objects.filter(pk=self.document.pk, run_id=self.document.run_id)

    def _completed(self) -> Any:
        return Segment.objects.filter(document=self.document, status=SegmentStatus.COMPLETED)


class Stopwatch:
    """Seconds of each stage, each without those that run inside of it."""

    def __init__(self, before: dict[str, float]) -> None:
        self.seconds = dict(before)
        self._inner = 0.0

    @contextmanager
    def running(self, stage: str) -> Iterator[None]:
        began, outer, self._inner = clock.monotonic(), self._inner, 0.0
        try:
            yield
        finally:
            passed = clock.monotonic() - began
            self.seconds[stage] = self.seconds.get(stage, 0.0) + passed - self._inner
            self._inner = outer + passed

    def timed(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        iterator = iter(items)
        while True:
            with self.running(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
