"""How the sweeps call the Console API's routes of triggers, below an app."""

from __future__ import annotations

from .console_entries import Table
from .sweeping import Entry

HOOKED = {"app_id": "{hooked_app_id}", "node_id": "hook"}

TRIGGERS: Table = {
    ("get", "/triggers"): Entry(ids=HOOKED),
    ("get", "/callback-key"): Entry(ids=HOOKED),
    ("post", "/trigger-enable"): Entry({"trigger_id": "{trigger_id}", "enable_trigger": True}, ids=HOOKED),
    ("post", "/triggers/{trigger_id}/signing-key"): Entry(ids=HOOKED),
    ("delete", "/triggers/{trigger_id}/signing-key"): Entry(ids=HOOKED, status=204),
    ("post", "/workflows/draft/trigger/run"): Entry({"node_id": "hook"}, ids=HOOKED),
    ("post", "/workflows/draft/trigger/run-all"): Entry({"node_ids": ["hook"]}, ids=HOOKED),
    ("post", "/workflows/draft/nodes/{node_id}/trigger/run"): Entry({}, ids=HOOKED),
}
