"""What a chatflow asked people beside a message, as lists of messages show it."""

from __future__ import annotations

from typing import Any

from difyproj.kernel import clock
from workflows.models import FormStatus, HumanInputForm
from workflows.services import form_values, forms

WEB = "webapp"


def content(form: HumanInputForm) -> dict[str, Any]:
    """The form as long as nobody has answered it, then the answer."""
    submitted = form.status == FormStatus.SUBMITTED
    return {
        "workflow_run_id": str(form.run_id),
        "submitted": submitted,
        "type": "human_input",
        "form_definition": None if submitted else _definition(form),
        "form_submission_data": _submission(form) if submitted else None,
    }


def _definition(form: HumanInputForm) -> dict[str, Any]:
    asked = form.definition
    on_web = not asked.get("delivery") or any(one.get("type") == WEB for one in asked["delivery"])
    return {
        "form_id": str(form.pk),
        "node_id": form.node_id,
        "node_title": form.title,
        "form_content": asked.get("content", ""),
        "inputs": list(asked.get("inputs") or ()),
        "actions": list(asked.get("actions") or ()),
        "display_in_ui": on_web,
        "form_token": (forms.token_of(form) or None) if on_web else None,
        "resolved_default_values": dict(asked.get("defaults") or {}),
        "expiration_time": clock.epoch(form.expires_at),
    }


def _submission(form: HumanInputForm) -> dict[str, Any]:
    titles = {str(one.get("id")): str(one.get("title") or "") for one in form.definition.get("actions") or ()}
    return {
        "node_id": form.node_id,
        "node_title": form.title,
        "rendered_content": form_values.rendered(form.definition, form.values),
        "action_id": form.action_id,
        "action_text": titles.get(form.action_id) or form.action_id,
    }
