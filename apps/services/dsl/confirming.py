"""The second half of an import of a newer DSL."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.models import Tenant
from apps.dsl import reader
from apps.dsl.document import parse
from difyproj.kernel.errors import DomainError

from . import pending
from .imports import Looks, Result, Status, build, completed, failed, target_of


def confirm(*, tenant: Tenant, by: UUID | None, import_id: UUID | str) -> Result:
    """The app of a file that waited. It is taken once: what fails then must be imported again."""
    with transaction.atomic():
        claimed = pending.claim(tenant=tenant, import_id=import_id)
    if claimed is None:
        return failed("Import information expired or does not exist")
    row, content = claimed
    try:
        document = parse(reader.read(content))
        target = target_of(tenant, row.app_id, document.app.mode)
        app = build(tenant=tenant, by=by, document=document, looks=Looks(**row.looks), over=target)
    except DomainError as error:
        return failed(error.message, row.pk)
    return completed(row.pk, Status.COMPLETED, app, document)
