"""What a node asks a person gets a form with a token, and is shown with both; rows never hold the token in the clear."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec

from apps.models import Run
from difyproj.kernel import clock, structs
from workflows.engine.events import HumanInputRequired, RunEvent, RunPaused
from workflows.engine.node import Form
from workflows.models import HumanInputForm
from workflows.services import forms

WEB = "webapp"


def issued(run_id: UUID, event: HumanInputRequired) -> HumanInputRequired:
    """The event with its form, which is made at the first time that this execution asks."""
    run = Run.objects.get(pk=run_id)
    form = structs.convert(event.form, Form)
    ((row, token),) = forms.create(run, [forms.Asked(event.node_id, UUID(event.execution_id), form, event.title)])
    return _shown(event, row, token)


def is_on_the_web(event: HumanInputRequired) -> bool:
    """Whether the form is shown by its token: where its author chose that, or nothing at all."""
    delivery = event.form.get("delivery") or ()
    return not delivery or any(one.get("type") == WEB for one in delivery)


def without_tokens(event: RunEvent) -> RunEvent:
    """The event as rows hold it."""
    if isinstance(event, HumanInputRequired):
        return msgspec.structs.replace(event, form_token=None)
    if isinstance(event, RunPaused):
        return msgspec.structs.replace(event, reasons=[without_tokens(reason) for reason in event.reasons])
    return event


def with_tokens(found: Iterable[RunEvent], rows: Iterable[HumanInputForm]) -> list[RunEvent]:
    """The events as they were shown, as long as their forms wait."""
    tokens = {str(row.pk): forms.token_of(row) or None for row in rows}
    return [_with_token(event, tokens) for event in found]


def _with_token(event: RunEvent, tokens: dict[str, str | None]) -> RunEvent:
    if isinstance(event, HumanInputRequired):
        return msgspec.structs.replace(event, form_token=tokens.get(event.form_id))
    if isinstance(event, RunPaused):
        return msgspec.structs.replace(event, reasons=[_with_token(reason, tokens) for reason in event.reasons])
    return event


def _shown(event: HumanInputRequired, row: HumanInputForm, token: str) -> HumanInputRequired:
    return msgspec.structs.replace(
        event, form_id=str(row.pk), form_token=token or None, expiration_time=clock.epoch(row.expires_at)
    )
