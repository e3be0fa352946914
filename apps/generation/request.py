"""What a caller asks of an app, parsed once at the edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from workflows.engine.node import HistoryTurn


@dataclass(frozen=True, slots=True)
class FileInput:
    """A file of the request. ``type``: image, document, audio, video, custom; ``transfer_method``: remote_url, local_file."""

    type: str
    transfer_method: str
    url: str = ""
    upload_file_id: str = ""


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """``streaming`` says whether the answer is followed while it is made. ``config_override`` replaces the app's configuration
    for this run (debug runs only).

    ``instructions`` stand behind the app's own, ``history`` instead of the conversation's (None: that one's), ``parameters``
    over the configured ones, within the rules of the model.
    """

    query: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[FileInput] = ()
    conversation_id: str = ""
    parent_message_id: str = ""
    auto_generate_name: bool = True
    trace_id: str = ""
    stage_events: bool = False
    streaming: bool = True
    config_override: Mapping[str, Any] | None = None
    instructions: str = ""
    history: Sequence[HistoryTurn] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Once:
    """An idempotency key within ``scope`` and the hash of the request it came with."""

    scope: str
    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The fixed facts of a run's reply that every record repeats. ``created_at`` is in epoch seconds."""

    run_id: UUID
    mode: str
    tier: str
    created_at: int
    message_id: UUID
    conversation_id: UUID
    tenant_id: UUID
    app_id: UUID
    end_user_id: UUID | None = None
    account_id: UUID | None = None
