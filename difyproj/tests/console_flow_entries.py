"""How the sweeps call the Console API's routes of graphs, below an app."""

from __future__ import annotations

from difyproj.testing.flows import ECHO

from .console_entries import OWN, Table
from .sweeping import Entry

FLOW = {"app_id": "{flow_app_id}"}
CHATFLOW = {"app_id": "{chatflow_app_id}"}
ASK = {"app_id": "{asking_app_id}", "node_id": "ask"}
WORDS = {"inputs": {"word": "x"}}
FILLED = {"inputs": {}, "form_inputs": {"note": "x"}, "action": "yes"}
OLD = {**FLOW, "workflow_id": "{old_version_id}"}
RUN = {**FLOW, "run_id": "{flow_run_id}", "task_id": "{flow_run_id}"}
OUTPUT = {**RUN, "node_id": "end", "output_name": "said"}
DEBUGGED = {**OUTPUT, "run_id": "{debug_run_id}"}
VARIABLE = {**FLOW, "variable_id": "{draft_variable_id}"}
# A stop says success whatever the id is, as the contract does, and stops nothing of others.
SAYS_SO = frozenset({200, 404})


def outputs_of(kind: str) -> list[str]:
    outputs = f"/workflows/{kind}/runs/{{run_id}}/node-outputs"
    one = f"{outputs}/{{node_id}}"
    return [outputs, f"{outputs}/events", one, f"{one}/{{output_name}}/preview"]


FLOWS: Table = {
    ("get", "/workflows/default-workflow-block-configs"): Entry(ids=FLOW),
    ("get", "/workflows/default-workflow-block-configs/{block_type}"): Entry(ids=FLOW),
    ("get", "/workflows/triggers/webhook"): Entry(query={"node_id": "{node_id}"}, ids=FLOW),
    ("get", "/workflows/draft"): Entry(ids=FLOW),
    ("post", "/workflows/draft"): Entry(
        {"graph": ECHO, "features": {}, "hash": "{draft_hash}"}, ids=FLOW, crossed=frozenset({200, 400})
    ),
    ("get", "/workflows/draft/environment-variables"): Entry(ids=FLOW),
    ("post", "/workflows/draft/environment-variables"): Entry({"environment_variables": []}, ids=FLOW),
    ("get", "/workflows/draft/conversation-variables"): Entry(ids=FLOW),
    ("post", "/workflows/draft/conversation-variables"): Entry({"conversation_variables": []}, ids=FLOW),
    ("post", "/workflows/draft/features"): Entry({"features": {}}, ids=FLOW),
    ("get", "/workflows/publish"): Entry(ids=FLOW),
    ("post", "/workflows/publish"): Entry({"marked_name": "x"}, ids=FLOW),
    ("get", "/workflows"): Entry(ids=FLOW),
    ("patch", "/workflows/{workflow_id}"): Entry({"marked_name": "Stolen"}, ids=OLD),
    ("post", "/workflows/{workflow_id}/restore"): Entry({}, ids=OLD),
    ("get", "/workflow-runs"): Entry(query={"triggered_from": "app-run"}, ids=FLOW),
    ("get", "/workflow-runs/count"): Entry(query={"triggered_from": "app-run"}, ids=FLOW),
    ("get", "/workflow-runs/{run_id}"): Entry(ids=RUN),
    ("get", "/workflow-runs/{run_id}/node-executions"): Entry(ids=RUN),
    ("post", "/workflows/draft/run"): Entry(WORDS, ids=FLOW),
    ("post", "/advanced-chat/workflows/draft/run"): Entry(
        {"inputs": {}, "query": "x", "conversation_id": "{debug_chatflow_conversation_id}"}, ids=CHATFLOW
    ),
    ("post", "/workflows/draft/nodes/{node_id}/run"): Entry(WORDS, ids=FLOW),
    ("get", "/workflows/draft/nodes/{node_id}/last-run"): Entry(ids=FLOW),
    ("post", "/workflows/draft/human-input/nodes/{node_id}/form/preview"): Entry(WORDS, ids=ASK),
    ("post", "/advanced-chat/workflows/draft/human-input/nodes/{node_id}/form/preview"): Entry(WORDS, ids=ASK),
    ("post", "/workflows/draft/human-input/nodes/{node_id}/form/run"): Entry(FILLED, ids=ASK),
    ("post", "/advanced-chat/workflows/draft/human-input/nodes/{node_id}/form/run"): Entry(FILLED, ids=ASK),
    ("post", "/workflows/draft/human-input/nodes/{node_id}/delivery-test"): Entry(
        {**WORDS, "delivery_method_id": "nobody"}, ids=ASK, status=400, crossed=frozenset({400, 404})
    ),
    ("post", "/workflows/draft/iteration/nodes/{node_id}/run"): Entry(WORDS, ids=ASK, status=404),
    ("post", "/workflows/draft/loop/nodes/{node_id}/run"): Entry(WORDS, ids=ASK, status=404),
    ("post", "/advanced-chat/workflows/draft/iteration/nodes/{node_id}/run"): Entry(WORDS, ids=ASK, status=404),
    ("post", "/advanced-chat/workflows/draft/loop/nodes/{node_id}/run"): Entry(WORDS, ids=ASK, status=404),
    ("get", "/workflows/draft/variables"): Entry(ids=FLOW),
    ("get", "/workflows/draft/nodes/{node_id}/variables"): Entry(ids=FLOW),
    ("get", "/workflows/draft/system-variables"): Entry(ids=FLOW),
    ("get", "/workflows/draft/variables/{variable_id}"): Entry(ids=VARIABLE),
    ("patch", "/workflows/draft/variables/{variable_id}"): Entry({"value": "x"}, ids=VARIABLE),
    ("put", "/workflows/draft/variables/{variable_id}/reset"): Entry({}, ids=VARIABLE),
    **{("get", path): Entry(ids=DEBUGGED) for path in outputs_of("draft")},
    **{("get", path): Entry(ids=OUTPUT) for path in outputs_of("published")},
    ("get", "/conversation-variables"): Entry(
        query={"conversation_id": "{chatflow_conversation_id}"}, ids=CHATFLOW, crossed=OWN
    ),
    ("post", "/workflow-runs/tasks/{task_id}/stop"): Entry({}, ids=RUN, crossed=SAYS_SO),
    ("get", "/advanced-chat/workflow-runs"): Entry(query={"triggered_from": "app-run"}, ids=CHATFLOW),
    ("get", "/advanced-chat/workflow-runs/count"): Entry(query={"triggered_from": "app-run"}, ids=CHATFLOW),
    ("get", "/workflow-app-logs"): Entry(query={"keyword": "secret"}, ids=FLOW),
    ("get", "/workflow/statistics/daily-conversations"): Entry(ids=FLOW),
    ("get", "/workflow/statistics/daily-terminals"): Entry(ids=FLOW),
    ("get", "/workflow/statistics/token-costs"): Entry(ids=FLOW),
    ("get", "/workflow/statistics/average-app-interactions"): Entry(ids=FLOW),
}

FLOW_LOSSES: Table = {
    ("delete", "/workflows/{workflow_id}"): Entry(status=204, ids=OLD),
    ("delete", "/workflows/draft/variables/{variable_id}"): Entry(status=204, ids=VARIABLE),
    ("delete", "/workflows/draft/nodes/{node_id}/variables"): Entry(status=204, ids=FLOW),
    ("delete", "/workflows/draft/variables"): Entry(status=204, ids=FLOW),
}

# Beside an app: what waits for people, and runs that are followed.
WAITING: Table = {
    ("get", "/workflow/{workflow_run_id}/events"): Entry(ids={"workflow_run_id": "{debug_run_id}"}),
    ("get", "/workflow/{workflow_run_id}/pause-details"): Entry(ids={"workflow_run_id": "{paused_run_id}"}),
    ("get", "/form/human_input/{form_token}"): Entry(),
    ("post", "/form/human_input/{form_token}"): Entry({"action": "yes", "inputs": {"note": "x"}}),
}
