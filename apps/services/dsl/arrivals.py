"""Imports and dry runs of files that may still have to be fetched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from accounts.models import Tenant
from apps.dsl import reader
from apps.dsl.document import Document, parse
from apps.dsl.errors import DslError
from apps.dsl.findings import Finding
from apps.dsl.versions import CURRENT, Fit, fit
from difyproj.infra import db

from .checks import check
from .imports import AS_IN_FILE, Looks, Result, failed, take
from .sources import Source


@dataclass(frozen=True, slots=True)
class Checked:
    """What an import of the file would come to."""

    document: Document
    status: Fit
    findings: list[Finding]
    current_dsl_version: str = CURRENT


async def take_from(
    source: Source, *, tenant: Tenant, by: UUID | None, looks: Looks = AS_IN_FILE, app_id: str | None = None
) -> Result:
    """``take`` for a file that is given or fetched first. A file that cannot be had is told in the result, too."""
    try:
        content = await source.read()
    except DslError as error:
        return failed(error.message)
    return await db.run(partial(take, tenant=tenant, by=by, content=content, looks=looks, app_id=app_id))


async def check_from(source: Source, *, tenant: Tenant) -> Checked:
    """The dry run: nothing is kept. Raises DslError for a file that cannot be taken at all."""
    return await db.run(_checked, await source.read(), tenant)


def _checked(content: str | bytes, tenant: Tenant) -> Checked:
    document = parse(reader.read(content))
    return Checked(document, fit(document.version), check(document, tenant))
