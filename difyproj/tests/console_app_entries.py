"""How the sweeps call the Console API's routes of apps, and the whole table of the tier."""

from __future__ import annotations

from . import console_entries as console
from .console_entries import OWN, REFUSED, Table, below, own
from .console_flow_entries import FLOW_LOSSES, FLOWS, WAITING
from .console_knowledge_entries import KNOWLEDGE, KNOWLEDGE_LOSSES
from .console_trigger_entries import TRIGGERS
from .sweeping import Entry

APP = f"{console.PREFIX}/apps/{{app_id}}"
COMPLETION = {"app_id": "{completion_app_id}", "conversation_id": "{completion_conversation_id}"}
COMPLETION_RUN = {"app_id": "{completion_app_id}", "task_id": "{completion_task_id}"}
DEBUGGED = {"conversation_id": "{debug_conversation_id}", "message_id": "{debug_message_id}"}
BOUND = {"type": "app", "target_id": "{app_id}"}
CONFIG = {"model": {"provider": "openai", "name": "gpt-4o-mini", "mode": "chat", "completion_params": {}}}
FILE = {"mode": "yaml-content", "yaml_content": "app: {name: New, mode: workflow}\nworkflow: {graph: {nodes: [], edges: []}}"}
ASK = {"inputs": {}, "query": "x", "response_mode": "blocking"}
REPLY = {"embedding_provider_name": "builtin", "embedding_model_name": "hashing-384", "score_threshold": 0.9}
MISSING = frozenset({404})
# A stop says success whatever the id is, as the contract does, and stops nothing of others.
SAYS_SO = frozenset({200, 404})

APPS: Table = {
    ("get", ""): Entry(),
    ("put", ""): Entry({"name": "Renamed", "description": "x", "max_active_requests": 3}),
    ("get", "/export"): Entry(query={"include_secret": "true"}),
    ("post", "/name"): Entry({"name": "Again"}),
    ("post", "/icon"): Entry({"icon": "x", "icon_background": "#ffffff"}),
    ("post", "/site-enable"): Entry({"enable_site": True}),
    ("post", "/api-enable"): Entry({"enable_api": True}),
    ("post", "/copy"): Entry({"name": "Copy"}, status=201),
    ("post", "/convert-to-workflow"): Entry({"name": "Graph"}),
    ("post", "/star"): Entry({}),
    ("post", "/site"): Entry({"title": "Changed", "description": "x"}),
    ("get", "/api-keys"): Entry(),
    ("post", "/api-keys"): Entry({}, status=201),
    ("get", "/trace"): Entry(),
    ("post", "/trace"): Entry({"enabled": False}),
    ("get", "/trace-config"): Entry(query={"tracing_provider": "langfuse"}),
    ("post", "/trace-config"): Entry({"tracing_provider": "langfuse"}, status=400),
    ("patch", "/trace-config"): Entry({"tracing_provider": "langfuse"}, status=400),
    ("delete", "/trace-config"): Entry(query={"tracing_provider": "langfuse"}, status=400),
    ("get", "/annotations"): Entry(),
    ("post", "/annotations"): Entry({"question": "Q", "answer": "A", "message_id": "{message_id}"}, status=201),
    ("get", "/annotations/count"): Entry(),
    ("get", "/annotations/export"): Entry(),
    ("post", "/annotations/batch-import"): Entry(file="csv", allowed=MISSING),
    ("get", "/annotations/batch-import-status/{job_id}"): Entry(crossed=REFUSED),
    ("post", "/annotations/{annotation_id}"): Entry({"question": "Q", "answer": "A"}),
    ("get", "/annotations/{annotation_id}/hit-histories"): Entry(),
    ("post", "/annotation-reply/{action}"): Entry(REPLY, ids={"action": "enable"}, crossed=OWN),
    ("get", "/annotation-reply/{action}/status/{job_id}"): Entry(
        ids={"action": "enable", "job_id": "{reply_job_id}"}, crossed=REFUSED
    ),
    ("get", "/annotation-setting"): Entry(),
    ("post", "/annotation-settings/{annotation_setting_id}"): Entry({"score_threshold": 0.8}),
    ("get", "/messages/{message_id}"): Entry(),
    ("get", "/chat-messages"): Entry(query={"conversation_id": "{conversation_id}"}),
    ("post", "/chat-messages"): Entry({**ASK, "conversation_id": "{conversation_id}"}, ids=DEBUGGED),
    ("post", "/chat-messages/{task_id}/stop"): Entry({}, crossed=SAYS_SO),
    ("get", "/chat-messages/{message_id}/suggested-questions"): Entry(ids=DEBUGGED),
    ("post", "/completion-messages"): Entry(ASK, ids=COMPLETION),
    ("post", "/completion-messages/{task_id}/stop"): Entry({}, ids=COMPLETION_RUN, crossed=SAYS_SO | REFUSED),
    ("get", "/chat-conversations"): Entry(query={"keyword": "secret"}),
    ("get", "/chat-conversations/{conversation_id}"): Entry(),
    ("get", "/completion-conversations"): Entry(ids=COMPLETION),
    ("get", "/completion-conversations/{conversation_id}"): Entry(ids=COMPLETION, crossed=MISSING | REFUSED),
    ("post", "/feedbacks"): Entry({"message_id": "{message_id}", "rating": "like"}),
    ("get", "/feedbacks/export"): Entry(),
    ("post", "/audio-to-text"): Entry(file="wav"),
    ("post", "/text-to-audio"): Entry({"text": "x", "message_id": "{message_id}"}),
    ("post", "/model-config"): Entry(CONFIG),
    ("get", "/text-to-audio/voices"): Entry(query={"language": "en-US"}),
    ("get", "/statistics/daily-messages"): Entry(),
    ("get", "/statistics/daily-conversations"): Entry(),
    ("get", "/statistics/daily-end-users"): Entry(),
    ("get", "/statistics/token-costs"): Entry(),
    ("get", "/statistics/average-session-interactions"): Entry(),
    ("get", "/statistics/user-satisfaction-rate"): Entry(),
    ("get", "/statistics/average-response-time"): Entry(ids=COMPLETION),
    ("get", "/statistics/tokens-per-second"): Entry(),
}

LISTS: Table = {
    ("get", "/app/prompt-templates"): own(query={"app_mode": "chat", "model_mode": "chat", "model_name": "{model}"}),
    ("get", "/apps"): own(query={"tag_ids": "{tag_id}", "creator_ids": "{member_id}"}),
    ("get", "/apps/starred"): own(),
    ("post", "/apps"): own({"name": "New", "mode": "chat"}, status=201),
    ("get", "/app-dsl-version"): own(),
    ("post", "/apps/imports"): own(FILE),
    ("post", "/apps/imports/check"): own(FILE),
    ("post", "/apps/imports/{import_id}/confirm"): Entry({}, allowed=REFUSED),
    ("get", "/apps/imports/{app_id}/check-dependencies"): Entry(),
    ("get", "/tags"): own(),
    ("post", "/tags"): own({"name": "Another", "type": "app"}),
    ("patch", "/tags/{tag_id}"): Entry({"name": "Renamed", "type": "app"}),
    ("post", "/tag-bindings"): Entry({**BOUND, "tag_ids": ["{tag_id}"]}),
    ("post", "/tag-bindings/remove"): Entry({**BOUND, "tag_ids": ["{tag_id}"]}),
    ("get", "/datasets/api-keys"): own(),
    ("post", "/datasets/api-keys"): own({}),
    ("get", "/datasets/api-base-info"): own(),
    ("get", "/files/upload"): own(),
    ("post", "/files/upload"): own(file="png", status=201),
    ("get", "/files/support-type"): own(),
    ("get", "/files/{file_id}/preview"): Entry(),
    ("post", "/remote-files/upload"): own({"url": "{remote_url}"}, status=400),
    ("get", "/remote-files/{url}"): own(status=400),
}

APP_LOSSES: Table = {
    ("delete", "/star"): Entry(),
    ("delete", "/annotations/{annotation_id}"): Entry(status=204),
    ("delete", "/annotations"): Entry(query={"annotation_id": "{annotation_id}"}, status=204, crossed=OWN),
    ("delete", "/chat-conversations/{conversation_id}"): Entry(status=204),
    ("delete", "/completion-conversations/{conversation_id}"): Entry(ids=COMPLETION, status=204, crossed=MISSING | REFUSED),
    ("delete", "/api-keys/{key_id}"): Entry(status=204),
    ("post", "/site/access-token-reset"): Entry({}),
    ("delete", ""): Entry(status=204),
}

LIST_LOSSES: Table = {
    ("delete", "/tags/{tag_id}"): Entry(status=204),
    ("delete", "/datasets/api-keys/{key_id}"): Entry(ids={"key_id": "{dataset_key_id}"}, status=204),
}

ENTRIES: Table = {
    **below(console.PREFIX, console.BEFORE_SIGN_IN),
    **below(console.PREFIX, console.ACCOUNT),
    **below(console.PREFIX, console.WORKSPACES),
    **below(console.MODELS, console.PROVIDERS),
    **below(console.PREFIX, console.MODEL_TYPES),
    **below(console.PREFIX, LISTS),
    **below(APP, APPS),
    **below(APP, FLOWS),
    **below(APP, TRIGGERS),
    **below(console.PREFIX, WAITING),
    **below(console.PREFIX, KNOWLEDGE),
    **below(console.PREFIX, KNOWLEDGE_LOSSES),
    **below(console.PREFIX, LIST_LOSSES),
    **below(APP, FLOW_LOSSES),
    **below(APP, APP_LOSSES),
    **below(console.PREFIX, console.LOSSES),
}
