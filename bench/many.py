"""The Console API's lists with a thousand messages and with a million, on PostgreSQL: percentiles, and how much slower.

`.venv/bin/python -m bench.many [--messages 1000000] [--calls 200] [--postgres URL]`

The rows are made by one statement for each table, from a conversation that was really asked; server and calls are real.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from bench.processes import Project, Server, start_upstream

PER_CONVERSATION = 10
SMALL = 1_000
LIMIT = 2.0

# (name, path, whether acceptance holds for it); {app} and {conversation} are filled in.
CALLS = [
    ("app list", "/console/api/apps?page=1&limit=20", True),
    ("app list, by name", "/console/api/apps?name=demo", True),
    ("logs", "/console/api/apps/{app}/chat-conversations", True),
    ("logs, 100 a page", "/console/api/apps/{app}/chat-conversations?limit=100", True),
    ("logs, page 5", "/console/api/apps/{app}/chat-conversations?page=5", True),
    ("logs, one week", "/console/api/apps/{app}/chat-conversations?start={start}&end={end}", True),
    ("logs, annotated", "/console/api/apps/{app}/chat-conversations?annotation_status=annotated", False),
    ("logs, last changed", "/console/api/apps/{app}/chat-conversations?sort_by=-updated_at", False),
    ("one conversation", "/console/api/apps/{app}/chat-conversations/{conversation}", True),
    ("its messages", "/console/api/apps/{app}/chat-messages?conversation_id={conversation}", True),
    ("statistics", "/console/api/apps/{app}/statistics/daily-messages?start={start}&end={end}", False),
]

CONVERSATIONS = """
INSERT INTO apps_conversation SELECT (jsonb_populate_record(t, jsonb_build_object(
    'id', gen_random_uuid(),
    'created_at', now() - n * interval '{step} seconds', 'updated_at', now() - n * interval '{step} seconds'
))).* FROM apps_conversation t, generate_series(1, {count}) n WHERE t.id = %s
"""
MESSAGES = """
INSERT INTO apps_message SELECT (jsonb_populate_record(t, jsonb_build_object(
    'id', gen_random_uuid(), 'conversation_id', c.id, 'run_id', NULL, 'created_at', c.created_at + n * interval '3 seconds'
))).* FROM apps_message t, generate_series(1, {count}) n, (SELECT id, created_at FROM apps_conversation c
    WHERE NOT EXISTS (SELECT 1 FROM apps_message m WHERE m.conversation_id = c.id)) c WHERE t.id = %s
"""
FEEDBACK = """
INSERT INTO apps_feedback (id, tenant_id, app_id, conversation_id, message_id, rating, from_source, created_at, updated_at)
SELECT gen_random_uuid(), m.tenant_id, m.app_id, m.conversation_id, m.id, 'like', 'user', m.created_at, m.created_at
FROM apps_message m TABLESAMPLE SYSTEM (2) ON CONFLICT DO NOTHING
"""


class Caller:
    """The owner, signed in through the Console API."""

    def __init__(self, server: Server, email: str, password: str) -> None:
        self._url = server.url
        body = {"email": email, "password": password}
        self._token = self.call("/console/api/login", body)["data"]["access_token"]

    def call(self, path: str, body: dict[str, Any] | None = None, token: str = "") -> Any:
        """One request, its JSON answer. Raises HTTPError."""
        headers = {"Content-Type": "application/json"}
        if token or hasattr(self, "_token"):
            headers["Authorization"] = f"Bearer {token or self._token}"
        data = None if body is None else msgspec.json.encode(body)
        with urllib.request.urlopen(urllib.request.Request(self._url + path, data, headers)) as answer:
            return msgspec.json.decode(answer.read())

    def time(self, path: str, calls: int) -> list[float]:
        """Milliseconds of each call, the first left out."""
        taken = []
        for _ in range(calls + 1):
            began = time.perf_counter()
            self.call(path)
            taken.append((time.perf_counter() - began) * 1000)
        return sorted(taken[1:])


def fill(connection: psycopg.Connection[Any], messages: int) -> None:
    """Bring the one app's conversations and messages up to this number, spread over ninety days."""
    row = connection.execute("SELECT id, conversation_id FROM apps_message ORDER BY created_at LIMIT 1").fetchone()
    assert row is not None
    there = connection.execute("SELECT count(*) FROM apps_message").fetchone()
    assert there is not None
    wanted = (messages - there[0]) // PER_CONVERSATION
    step = max(1, 90 * 86_400 // max(wanted, 1))
    connection.execute(CONVERSATIONS.format(count=wanted, step=step), [row[1]])
    connection.execute(MESSAGES.format(count=PER_CONVERSATION), [row[0]])
    connection.execute(FEEDBACK)
    for table in ("apps_conversation", "apps_message", "apps_feedback"):
        connection.execute(f"VACUUM ANALYZE {table}")


def measure(caller: Caller, app_id: str, conversation_id: str, calls: int) -> dict[str, list[float]]:
    week = {"start": time.strftime("%Y-%m-%d%%2000:00", time.gmtime(time.time() - 7 * 86_400)),
            "end": time.strftime("%Y-%m-%d%%2023:59", time.gmtime())}  # fmt: skip
    return {name: caller.time(path.format(app=app_id, conversation=conversation_id, **week), calls) for name, path, _ in CALLS}


def percentile(taken: list[float], share: float) -> float:
    return taken[min(len(taken) - 1, round(share * (len(taken) - 1)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--postgres", default="postgres://postgres@127.0.0.1:5432/difyproj_many", help="dropped and made anew")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-many-") as folder:
        upstream = start_upstream(Path(folder))
        project = Project(Path(folder), upstream, postgres=arguments.postgres)
        try:
            sys.exit(run(project, arguments))
        finally:
            upstream.stop()


def run(project: Project, arguments: argparse.Namespace) -> int:
    project.prepare()
    facts = msgspec.json.decode((project.folder / "var" / "bootstrap.json").read_bytes())
    app = next(app for app in facts["apps"] if app["mode"] == "chat")
    server = project.start()
    try:
        caller = Caller(server, facts["admin"]["email"], facts["admin"]["password"])
        question = {"inputs": {}, "query": "What is this?", "user": "bench", "response_mode": "blocking"}
        asked = caller.call("/v1/chat-messages", question, token=app["token"])
        with psycopg.connect(arguments.postgres, autocommit=True) as connection:
            fill(connection, SMALL)
            few = measure(caller, app["id"], asked["conversation_id"], arguments.calls)
            began = time.monotonic()
            fill(connection, arguments.messages)
            print(f"{arguments.messages} messages, made in {time.monotonic() - began:.0f} s")
            many = measure(caller, app["id"], asked["conversation_id"], arguments.calls)
    finally:
        server.stop()
    return show(few, many)


def show(few: dict[str, list[float]], many: dict[str, list[float]]) -> int:
    """Prints the table; 1 when a call that is held to the limit passes it."""
    print(f"{'call':<24}{'p50 few':>10}{'p50 many':>10}{'p95 few':>10}{'p95 many':>10}{'x p95':>8}  (ms)")
    over = 0
    for name, _, held in CALLS:
        ratio = percentile(many[name], 0.95) / percentile(few[name], 0.95)
        verdict = ("ok" if ratio <= LIMIT else "OVER") if held else ""
        over |= verdict == "OVER"
        figures = (statistics.median(few[name]), statistics.median(many[name]), percentile(few[name], 0.95),
                   percentile(many[name], 0.95))  # fmt: skip
        print(f"{name:<24}" + "".join(f"{figure:>10.1f}" for figure in figures) + f"{ratio:>8.2f}  {verdict}")
    return int(over)


if __name__ == "__main__":
    main()
