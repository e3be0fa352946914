"""Forms of paused runs: made when a run pauses, answered once by whoever has the token, expired when their time is over."""

from __future__ import annotations

import secrets as random_secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import transaction

from apps.models import Run
from difyproj.kernel import clock, ids, jsonio, secrets
from difyproj.kernel.errors import HumanInputFormExpired, HumanInputFormSubmitted, NotFound
from workflows.engine.node import Form, FormAnswer
from workflows.models import FormStatus, HumanInputForm

from . import form_mail, form_values, sealing

DEFAULT_SECONDS: Final = 3 * 24 * 3600
LONGEST_SECONDS: Final = 366 * 24 * 3600


class FormNotFound(NotFound):
    default_message = "Form not found."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a node waits for."""

    node_id: str
    execution_id: UUID
    form: Form
    title: str = ""


@transaction.atomic
def create(run: Run, asked: Iterable[Asked]) -> list[tuple[HumanInputForm, str]]:
    """A row and its token for each; what the same executions asked for before a crash is found again, with the same token."""
    asked = list(asked)
    known = {row.execution_id: row for row in of_runs([run.pk])}
    key = sealing.key_of(run.tenant_id) if any(item.execution_id not in known for item in asked) else b""
    return [_known(known[item.execution_id]) if item.execution_id in known else _create(run, item, key) for item in asked]


def get(token: str, *, app_id: UUID | None = None) -> HumanInputForm:
    """The form that waits for this token's answer; ``app_id`` is the app that the caller's credential binds.

    Raises FormNotFound, HumanInputFormSubmitted, HumanInputFormExpired.
    """
    row = find(token, app_id=app_id)
    demand_waiting(row)
    return row


def demand_waiting(row: HumanInputForm) -> None:
    """Raises HumanInputFormSubmitted, HumanInputFormExpired."""
    if row.status == FormStatus.SUBMITTED:
        raise HumanInputFormSubmitted
    if row.status == FormStatus.EXPIRED or row.expires_at <= clock.now():
        raise HumanInputFormExpired


def find(token: str, *, app_id: UUID | None = None) -> HumanInputForm:
    """The form of a token, answered or not, with app and run at hand. Raises FormNotFound."""
    rows = HumanInputForm.objects.filter(token_hash=secrets.hash_token(token)).select_related("app__tenant", "run")
    found = rows.first() if app_id is None else rows.filter(app_id=app_id).first()
    if found is None:
        raise FormNotFound
    return found


@transaction.atomic
def submit(
    token: str,
    *,
    action: Any,
    inputs: Any,
    app_id: UUID | None = None,
    account_id: UUID | None = None,
    end_user_id: UUID | None = None,
    take: Callable[[HumanInputForm, dict[str, Any]], dict[str, Any]] | None = None,
) -> HumanInputForm:
    """The form with its answer, which nobody can give twice. A refused one stays open.

    ``take`` makes of the checked values what is kept: it knows whose files they name. Raises as ``get`` does, InvalidFormData,
    and what ``take`` raises.
    """
    row = get(token, app_id=app_id)
    chosen, values = form_values.checked(row.definition, action=action, inputs=inputs)
    values = take(row, values) if take is not None else values
    moment = clock.now()
    taken = HumanInputForm.objects.waiting().filter(pk=row.pk, expires_at__gt=moment)
    answer: dict[str, Any] = {
        "status": FormStatus.SUBMITTED,
        "action_id": chosen,
        "values": values,
        "submitted_at": moment,
        "submitted_by_account_id": account_id,
        "submitted_by_end_user_id": end_user_id,
    }
    if not taken.update(**answer):
        get(token, app_id=app_id)
        raise HumanInputFormSubmitted
    for name, value in answer.items():
        setattr(row, name, value)
    return row


def expire_due(*, now: datetime | None = None, limit: int = 100) -> list[HumanInputForm]:
    """The forms whose time is over, each for one caller only, with their runs, which go on by that."""
    moment = now or clock.now()
    due = HumanInputForm.objects.waiting().filter(expires_at__lte=moment).select_related("run", "app")
    return [row for row in due.order_by("expires_at")[:limit] if _expire(row)]


def close(run_id: UUID) -> int:
    """The run ended while it waited: nobody is asked any more. How many forms that were."""
    return HumanInputForm.objects.waiting().filter(run_id=run_id).update(status=FormStatus.EXPIRED)


def of_runs(run_ids: Sequence[UUID]) -> list[HumanInputForm]:
    """The forms of these runs, oldest first, with their tenants."""
    return list(HumanInputForm.objects.filter(run_id__in=run_ids).select_related("tenant"))


def waiting(run_id: UUID) -> list[HumanInputForm]:
    """What the run still asks, oldest first, with their tenants."""
    return list(HumanInputForm.objects.waiting().filter(run_id=run_id).select_related("tenant"))


def token_of(row: HumanInputForm) -> str:
    """The token again, for readers of the run who come later; empty when the form does not wait any more."""
    return str(sealing.unseal(row) or "") if row.status == FormStatus.WAITING else ""


def answers_of(run_id: UUID) -> dict[str, FormAnswer]:
    """What came back to the nodes of a run that is to go on, by the execution that asked."""
    rows = HumanInputForm.objects.filter(run_id=run_id).exclude(status=FormStatus.WAITING)
    return {str(row.execution_id): answer_of(row) for row in rows}


def answer_of(row: HumanInputForm) -> FormAnswer:
    """As the engine takes it."""
    if row.status == FormStatus.EXPIRED:
        return FormAnswer(expired_at=clock.epoch(row.expires_at))
    return FormAnswer(
        action_id=row.action_id, values=row.values, rendered_content=form_values.rendered(row.definition, row.values)
    )


def _create(run: Run, asked: Asked, key: bytes) -> tuple[HumanInputForm, str]:
    token, moment = random_secrets.token_urlsafe(32), clock.now()
    definition: Mapping[str, Any] = msgspec.to_builtins(asked.form)
    seconds = min(asked.form.expires_in, LONGEST_SECONDS) if asked.form.expires_in > 0 else DEFAULT_SECONDS
    row = HumanInputForm(
        id=ids.new_id(),
        tenant_id=run.tenant_id,
        app_id=run.app_id,
        run=run,
        node_id=asked.node_id,
        title=jsonio.storable(asked.title),
        execution_id=asked.execution_id,
        token_hash=secrets.hash_token(token),
        definition=jsonio.storable(definition),
        created_at=moment,
        expires_at=moment + timedelta(seconds=seconds),
    )
    row.sealed = sealing.seal(row, token, key=key)
    row.save(force_insert=True)
    form_mail.send(run, row.definition.get("delivery") or (), title=row.title, token=token)
    return row, token


def _known(row: HumanInputForm) -> tuple[HumanInputForm, str]:
    return row, token_of(row)


def _expire(row: HumanInputForm) -> bool:
    if not HumanInputForm.objects.waiting().filter(pk=row.pk).update(status=FormStatus.EXPIRED):
        return False
    row.status = FormStatus.EXPIRED
    return True
