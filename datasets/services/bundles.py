"""A dataset in one file: rows, bytes and vectors, so that another installation has it without a call to a model.

A zip of ``manifest.json``, ``documents.jsonl``, ``segments.jsonl``, ``vectors.jsonl``, and the bytes under ``files/``. Ids
are new where it is taken in. Vectors are believed: a bundle is as good as whoever made it.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, Any, Final
from uuid import UUID

import msgspec
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction
from django.db.models import Model

from accounts.models import Tenant
from datasets.models import ChildChunk, Dataset, Document, Embedding, IndexingStatus, MetadataField, ProcessRule, Segment
from datasets.models import Provider as Kept
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock, jsonio
from difyproj.kernel.errors import Conflict, InvalidParam

from . import models, pipeline, rules
from .sources import Source
from .vectors import hash_of

FORMAT, VERSION = "dataset-bundle", 1
# What reading another thing than a bundle raises.
BROKEN: Final = (
    zipfile.BadZipFile, DataError, IntegrityError,
    KeyError, TypeError, ValueError, AttributeError, EOFError, NotImplementedError,
)  # fmt: skip
LINE_BYTES: Final = 32 * 1024**2
FILE_BYTES: Final = 4 * 1024**3
PIECE: Final = 1024**2
AT_ONCE: Final = 200
OF_DATASET: Final = (
    "name", "description", "indexing_technique", "doc_form", "data_source_type", "embedding_model",
    "embedding_model_provider", "retrieval_model", "summary_index_setting", "icon_info", "built_in_field_enabled",
)  # fmt: skip
OF_DOCUMENT: Final = (
    "position", "name", "data_source_type", "data_source_info", "created_from", "size", "hash", "extension", "mime_type",
    "doc_form", "doc_language", "doc_type", "doc_metadata", "word_count", "tokens", "segment_count", "page_count", "enabled",
    "archived",
)  # fmt: skip
OF_SEGMENT: Final = (
    "position", "content", "answer", "summary", "keywords", "word_count", "tokens", "page", "start", "end", "boxes",
    "source_hash", "edited", "enabled",
)  # fmt: skip
OF_CHILD: Final = ("position", "content", "word_count", "type")


class BrokenBundle(InvalidParam):
    default_message = "The file is no bundle of a dataset, or is damaged."


def write(dataset: Dataset, target: IO[bytes]) -> dict[str, int]:
    """Of what is completed; how much there was of each. Raises Conflict for a dataset that is kept elsewhere."""
    if dataset.provider != Kept.VENDOR:
        raise Conflict("The dataset is kept in another system.")
    documents = Document.objects.filter(dataset=dataset, indexing_status=IndexingStatus.COMPLETED).select_related(
        "process_rule"
    )
    told = {"documents": 0, "segments": 0, "vectors": 0}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        fields = [{"name": field.name, "type": field.type} for field in MetadataField.objects.filter(dataset=dataset)]
        manifest = {"format": FORMAT, "version": VERSION, "dataset": _of(dataset, OF_DATASET), "metadata_fields": fields}
        bundle.writestr("manifest.json", jsonio.dumps(manifest))
        for document in documents.iterator(AT_ONCE):
            with bundle.open(f"files/{document.pk}", "w", force_zip64=True) as file, get_storage().open(document.key) as bytes_:
                while piece := bytes_.read(PIECE):
                    file.write(piece)
        told["documents"] = _lines(bundle, "documents.jsonl", map(_document, documents.iterator(AT_ONCE)))
        told["segments"] = _lines(bundle, "segments.jsonl", _segments(dataset))
        told["vectors"] = _lines(bundle, "vectors.jsonl", _vectors(dataset))
    return told


def read(source: IO[bytes], *, tenant: Tenant, by: UUID | None, name: str = "") -> Dataset:
    """A new dataset; its index is built by jobs, from the bundle's own vectors.

    Raises BrokenBundle, and Conflict for a name that is taken.
    """
    try:
        with zipfile.ZipFile(source) as bundle:
            return _read(bundle, tenant, by, name)
    except BROKEN as error:
        raise BrokenBundle from error


def _read(bundle: zipfile.ZipFile, tenant: Tenant, by: UUID | None, name: str) -> Dataset:
    manifest = jsonio.loads(_small(bundle, "manifest.json"))
    if manifest["format"] != FORMAT or manifest["version"] != VERSION:
        raise BrokenBundle
    rows = list(_read_lines(bundle, "documents.jsonl"))
    keys = {row["id"]: _kept_file(bundle, tenant, row) for row in rows}
    try:
        with transaction.atomic():
            dataset = _dataset(manifest, tenant, by, name)
            for some in _parts(_read_lines(bundle, "vectors.jsonl")):
                Embedding.objects.bulk_create([_vector(tenant, row) for row in some], ignore_conflicts=True)
            documents = _documents(dataset, rows, keys, by)
            for some in _parts(_read_lines(bundle, "segments.jsonl")):
                _take_segments(documents, some)
            for document in documents.values():
                pipeline.start(document)
    except BaseException:
        for key in keys.values():
            get_storage().delete(key)
        raise
    return dataset


def _dataset(manifest: Mapping[str, Any], tenant: Tenant, by: UUID | None, name: str) -> Dataset:
    given = {field: manifest["dataset"][field] for field in OF_DATASET}
    given["name"] = name or given["name"]
    if Dataset.objects.for_tenant(tenant).filter(name=given["name"]).exists():
        raise Conflict(f"A dataset with the name {given['name']} is there already.")
    dataset = _checked(Dataset(tenant=tenant, created_by_id=by, updated_by_id=by, **given))
    dataset.save(force_insert=True)
    for field in manifest["metadata_fields"]:
        row = MetadataField(tenant=tenant, dataset=dataset, name=field["name"], type=field["type"], created_by_id=by)
        _checked(row).save(force_insert=True)
    return dataset


def _documents(
    dataset: Dataset, rows: Iterable[Mapping[str, Any]], keys: Mapping[str, str], by: UUID | None
) -> dict[str, Document]:
    """All stages but the last are behind them."""
    made: dict[str, Document] = {}
    known: dict[bytes, ProcessRule] = {}
    now = clock.now()
    for row in rows:
        rule = row["process_rule"]
        mark = jsonio.dumps(rule)
        known[mark] = known.get(mark) or rules.create(dataset=dataset, given=rule, created_by_id=by)
        document = Document(
            tenant_id=dataset.tenant_id, dataset=dataset, process_rule=known[mark], batch="bundle", created_by_id=by,
            key=keys[row["id"]], indexing_status=IndexingStatus.INDEXING, processing_started_at=now, parsing_completed_at=now,
            cleaning_completed_at=now, splitting_completed_at=now, **{name: row[name] for name in OF_DOCUMENT},
        )  # fmt: skip
        _checked(document).save(force_insert=True)
        made[row["id"]] = document
    return made


def _take_segments(documents: Mapping[str, Document], rows: Iterable[Mapping[str, Any]]) -> None:
    segments: list[Segment] = []
    children: list[ChildChunk] = []
    for row in rows:
        owner = documents[row["document"]]
        own = {"tenant_id": owner.tenant_id, "dataset_id": owner.dataset_id, "document": owner}
        segment = _checked(Segment(**own, **{name: row[name] for name in OF_SEGMENT}))
        segments.append(segment)
        for child in row["children"]:
            children.append(_checked(ChildChunk(**own, segment=segment, **{name: child[name] for name in OF_CHILD})))
    Segment.objects.bulk_create(segments)
    ChildChunk.objects.bulk_create(children)


def _vector(tenant: Tenant, row: Mapping[str, Any]) -> Embedding:
    vector = base64.b64decode(row["vector"], validate=True)
    made = msgspec.convert({name: row[name] for name in ("provider", "model", "hash")}, dict[str, str])
    if not vector or len(vector) % 4:
        raise BrokenBundle
    return Embedding(tenant=tenant, dimensions=len(vector) // 4, vector=vector, **made)


def _kept_file(bundle: zipfile.ZipFile, tenant: Tenant, row: Mapping[str, Any]) -> str:
    name, digest = f"files/{UUID(row['id'])}", hashlib.sha256()
    planned = Source.planned(tenant_id=tenant.pk, name=row["name"], extension=row["extension"], mime_type=row["mime_type"])

    def pieces() -> Iterator[bytes]:
        left = FILE_BYTES
        with bundle.open(name) as file:
            while piece := file.read(PIECE):
                left -= len(piece)
                if left < 0:
                    raise BrokenBundle("A file in the bundle is too large.")
                digest.update(piece)
                yield piece

    get_storage().save(planned.key, pieces())
    if row["hash"] and row["hash"] != digest.hexdigest():
        get_storage().delete(planned.key)
        raise BrokenBundle("A file in the bundle is not the one that its document names.")
    return planned.key


def _document(document: Document) -> dict[str, Any]:
    rule = {"mode": document.process_rule.mode, "rules": document.process_rule.rules}
    return {"id": str(document.pk), "process_rule": rule, **_of(document, OF_DOCUMENT)}


def _segments(dataset: Dataset) -> Iterator[dict[str, Any]]:
    rows = Segment.objects.filter(dataset=dataset, document__indexing_status=IndexingStatus.COMPLETED)
    for segment in rows.order_by("document", "position").prefetch_related("child_chunks").iterator(AT_ONCE):
        children = [_of(child, OF_CHILD) for child in segment.child_chunks.all()]
        yield {"document": str(segment.document_id), **_of(segment, OF_SEGMENT), "children": children}


def _vectors(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Of the model of the index that answers."""
    embedder = models.embedder(dataset)
    if embedder is None:
        return
    told: set[str] = set()
    for row in _segments(dataset):
        for text in (row["content"], *(child["content"] for child in row["children"])):
            told.add(hash_of(text))
    made = Embedding.objects.for_tenant(dataset.tenant_id).made().filter(provider=embedder.provider, model=embedder.model)
    for some in _parts(sorted(told)):
        for key, vector in made.filter(hash__in=some).values_list("hash", "vector"):
            said = base64.b64encode(vector).decode()
            yield {"provider": embedder.provider, "model": embedder.model, "hash": key, "vector": said}


def _lines(bundle: zipfile.ZipFile, name: str, rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    with bundle.open(name, "w", force_zip64=True) as file:
        for row in rows:
            file.write(jsonio.dumps(row) + b"\n")
            count += 1
    return count


def _read_lines(bundle: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    with bundle.open(name) as file:
        while line := file.readline(LINE_BYTES):
            yield msgspec.json.decode(line, type=dict[str, Any])


def _small(bundle: zipfile.ZipFile, name: str) -> bytes:
    with bundle.open(name) as file:
        return file.read(LINE_BYTES)


def _checked(row: Any) -> Any:
    """Raises BrokenBundle for what its columns would not take."""
    try:
        empty = [field.name for field in row._meta.fields if not field.is_relation and not getattr(row, field.attname)]
        row.clean_fields(exclude=["tenant", "dataset", "document", "segment", "process_rule", *empty])
    except ValidationError as error:
        raise BrokenBundle(f"The bundle does not fit: {'; '.join(error.messages)[:500]}") from error
    return row


def _of(row: Model, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _parts(rows: Iterable[Any]) -> Iterator[list[Any]]:
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        yield some
