"""What a caller asks of an app, parsed once at the edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from workflows.engine.node import HistoryTurn


@dataclass(frozen=True, slots=True)
class FileInput:
    """A file of the request. ``type``: image, document, audio, video, custom; ``transfer_method``: remote_url, local_file."""

    type: str
    transfer_method: str
    url: str = ""
    upload_file_id: str = ""


PUBLISHED: Final = "published"
DRAFT: Final = "draft"


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """``streaming`` says whether the answer is followed while it is made. ``config_override`` replaces the app's configuration
    for this run (debug runs only).

    ``instructions`` stand behind the app's own, ``history`` instead of the conversation's (None: that one's), ``parameters``
    over the configured ones, within the rules of the model.

    ``target`` is the version that runs, for apps with a graph of their own: PUBLISHED, DRAFT or a version's id; ``entry`` names
    the node it begins at, where that is not the start. ``triggered_from`` is what began the run
    (``workflows.models.TriggeredFrom``); empty: the caller, who debugs when it is the draft that runs. ``callback_url`` is told
    when the run of a graph has ended. ``in_background`` says that nobody waits for a graph's run: a worker may execute it.
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
    target: str = PUBLISHED
    entry: str = ""
    triggered_from: str = ""
    callback_url: str = ""
    in_background: bool = False


@dataclass(frozen=True, slots=True)
class Once:
    """An idempotency key within ``scope`` and the hash of the request it came with."""

    scope: str
    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The fixed facts of a run's reply that every record repeats. ``created_at`` is in epoch seconds.

    Runs of workflow apps have no message and no conversation. ``workflow_id`` and ``created_by``, who asked in the words of the
    wire, are those of graphs.
    """

    run_id: UUID
    mode: str
    tier: str
    created_at: int
    message_id: UUID | None
    conversation_id: UUID | None
    tenant_id: UUID
    app_id: UUID
    end_user_id: UUID | None = None
    account_id: UUID | None = None
    workflow_id: UUID | None = None
    created_by: Mapping[str, Any] | None = None
