"""Where answers differ from the vendor's own OpenAPI document, and why. docs/contract.md repeats the reasons for readers."""

from __future__ import annotations

import re
from typing import NamedTuple

from .openapi import Deviation


class Reason(NamedTuple):
    """``pattern`` matches an exchange's name and the deviation, joined by a blank."""

    pattern: str
    text: str


REASONS = (
    Reason(
        r"GET /parameters .* invalid \$\.user_input_form\[\]",
        "The document's alternatives for a control require nothing, so that each control fits several and no form with a "
        "control can satisfy its `oneOf`. Ours are the documented shapes.",
    ),
    Reason(
        r"GET /parameters .* more \$\.file_upload\.",
        "The reference server sends these file rules too, and the official web front end reads them.",
    ),
    Reason(
        r"GET /files/\{file_id\}/preview .* invalid Content-Type",
        "The document names only the type of downloads; in words it promises the file's own type, which is what we send.",
    ),
    Reason(
        r"stream absent error: \$\.task_id",
        "The document's common fields include `task_id`; its words exempt errors, and the reference server leaves it out.",
    ),
    Reason(
        r"stream more message: \$\.(id|from_variable_selector)",
        "The reference server sends them; the official web front end takes the message's id from `id`.",
    ),
    Reason(
        r"POST /chat-messages .* stream more message_end: \$\.files",
        "The reference server sends it; the document names it for completion apps only.",
    ),
    Reason(
        r"more .*\$\.metadata\.annotation_reply",
        "In the reference's words, and sent by the reference server; null until an annotation answers.",
    ),
    Reason(
        r"stream invalid (?P<stage>\w+): event (?P=stage) is not documented",
        "Stages of the generation, only for callers who ask for them with `stage_events`.",
    ),
    Reason(
        r"POST /workflows/.* absent \$\.data\.(created_by|exceptions_count|files)",
        "The document has one shape for the ends of streams and of blocking answers; the reference server sends these in "
        "streams.",
    ),
    Reason(
        r"POST /workflows/.* more \$\.data\.(paused_nodes|reasons)",
        "A blocking answer of a run that waits for people says for whom; the document names them for streams only.",
    ),
    Reason(
        r"\[advanced-chat\] .* more (node_\w+: \$\.data\.\w+_truncated|workflow_finished: \$\.data\.created_by"
        r"|workflow_paused: \$\.workflow_run_id)",
        "The document names them for workflows only; streams of chatflows have the same records here.",
    ),
    Reason(
        r"absent node_finished: \$\.data\.execution_metadata\.(total_tokens|total_price|currency)",
        "Of nodes that called a model; others cost nothing.",
    ),
    Reason(
        r"absent .*inputs\[\]\.(default\.selector|option_source|allowed_\w+|number_limits)",
        "Each belongs to one kind of field of a form, or of default.",
    ),
    Reason(
        r"POST /(workflows/.*|chat-messages) status 202 is not among",
        "Only for callers who ask for it with `response_mode` `async`.",
    ),
    Reason(
        r"POST /apps/annotations .* status 400 is not among",
        "The document names no refusal of a body; a question or an answer that is missing is refused as everywhere else.",
    ),
    Reason(
        r"GET /datasets/\{dataset_id\}/documents/\{document_id\} .* absent",
        "`metadata` asks for all of a document, for its metadata only, or for the rest; the document has one shape for the "
        "three.",
    ),
    Reason(
        r"more .*\.usage\.(time_to_first_token|time_to_generate)",
        "Sent by newer reference servers; the document is older.",
    ),
)


def reason(exchange: str, deviation: Deviation) -> str | None:
    """Why this deviation is meant; None when nobody meant it."""
    found = (one.text for one in REASONS if re.search(one.pattern, f"{exchange} {deviation}"))
    return next(found, None)
