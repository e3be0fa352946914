"""The scenarios of a server's life: statements per message, start-up and idle memory, stop."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench import procfs
from bench.http1 import Client, Exchange
from bench.load import read_answer
from bench.processes import ROOT, Project
from bench.stage import OURS, RELAY, Row, Stage
from bench.statements import Counts, Journal, PostgresProxy, Statement, TraceFile, count
from bench.wire import Spec

_TASK = re.compile(rb'"task_id":\s*"([^"]+)"')
_QUIET_SECONDS = 0.25
_WARM_MESSAGES = 5


@dataclass(slots=True)
class Talk:
    """One conversation, message by message."""

    client: Client
    conversation_id: str = ""

    def request(self, spec: Spec, auto_name: bool = False) -> bytes:
        """The next message of the conversation."""
        body = {
            "inputs": {},
            "query": f"Please say {spec}",
            "user": "bench",
            "response_mode": "streaming",
            "conversation_id": self.conversation_id,
            "auto_generate_name": auto_name,
        }
        return self.client.build("POST", "/v1/chat-messages", body)

    async def say(self, auto_name: bool = False) -> None:
        """Asks once and waits for the end. Raises RuntimeError when the answer is not whole."""
        answer = read_answer(await self.client.run(self.request(Spec(20, 0, 0), auto_name)), blocking=False)
        if answer.fault:
            raise RuntimeError(answer.fault)
        self.conversation_id = answer.conversation_id


async def queries(stage: Stage) -> list[Row]:
    """SELECTs and commits of one message in an existing conversation, warm; naming apart."""
    if stage.project is None:
        return []
    stage.stop_ours()
    journal, more, proxy = await _journal(stage, stage.project)
    server = await asyncio.to_thread(stage.start_ours, **more)
    try:
        client = Client(server.url, server.token)
        later, named = await _count_messages(journal, client, stage.choose(20, 8))
        client.close()
    finally:
        await asyncio.to_thread(stage.stop_ours)
        if proxy:
            proxy.close()
    stage.start_ours()
    middle = sorted(later, key=lambda statements: len(statements))[len(later) // 2]
    stage.notes += ["statements of the median message:", *(f"    {row.connection[-6:]} {row.sql[:150]}" for row in middle)]
    counts = [count(statements) for statements in later]
    return [
        *_count_rows("existing conversation, warm", counts, selects=4, commits=2),
        *_count_rows("new conversation with naming", [count(statements) for statements in named]),
    ]


def _count_rows(what: str, counts: list[Counts], selects: float | None = None, commits: float | None = None) -> list[Row]:
    limits = {"selects": selects, "writes": None, "commits": commits}
    return [
        Row("queries", f"{name}, {what}", {OURS: statistics.median(getattr(row, name) for row in counts)}, limit)
        for name, limit in limits.items()
    ]


async def _journal(stage: Stage, project: Project) -> tuple[Journal, dict[str, str], PostgresProxy | None]:
    if not project.postgres:
        trace = TraceFile(stage.folder / "statements.log")
        return trace, trace.environment(), None
    parts = urlsplit(project.postgres)
    proxy = PostgresProxy(parts.hostname or "127.0.0.1", parts.port or 5432)
    user = parts.netloc.rpartition("@")[0]
    url = f"{parts.scheme}://{user}@127.0.0.1:{await proxy.start()}{parts.path}"
    return proxy, {"DATABASE_URL": url}, proxy


async def _count_messages(journal: Journal, client: Client, times: int) -> tuple[list[list[Statement]], list[list[Statement]]]:
    talk = Talk(client)
    for _ in range(_WARM_MESSAGES):
        await talk.say()
    later = [await _listen(journal, talk, auto_name=False) for _ in range(times)]
    named = [await _listen(journal, Talk(client), auto_name=True) for _ in range(max(times // 4, 3))]
    return later, named


async def _listen(journal: Journal, talk: Talk, auto_name: bool) -> list[Statement]:
    await asyncio.sleep(_QUIET_SECONDS)
    mark = journal.mark()
    await talk.say(auto_name)
    await asyncio.sleep(_QUIET_SECONDS * (4 if auto_name else 1))
    return journal.since(mark)


async def startup(stage: Stage) -> list[Row]:
    """From the command to listening on a prepared folder, and what the idle processes hold."""
    if stage.project is None:
        return []
    stage.stop_ours()
    commands: dict[str, tuple[str, ...]] = {"manage.py serve": ()}
    if (ROOT / "script" / "server").exists():
        commands["script/server"] = (str(ROOT / "script" / "server"),)
    rows = [row for name, command in commands.items() for row in await _start_often(stage, stage.project, name, command)]
    stage.start_ours()
    return rows


async def _start_often(stage: Stage, project: Project, name: str, command: tuple[str, ...]) -> list[Row]:
    took, idle = [], []
    for _ in range(stage.choose(5, 3)):
        server = project.start(command)
        took.append(server.started_in)
        await asyncio.sleep(3)
        idle.append(procfs.look(server.pid))
        server.stop()
    return [
        Row("startup", f"{name}: s to listening, median", {OURS: statistics.median(took)}, 3),
        Row("startup", f"{name}: idle RSS MB, all processes", {OURS: max(look.rss for look in idle)}, 180),
        Row("startup", f"{name}: idle PSS MB (shared pages once)", {OURS: max(look.pss for look in idle)}),
        Row("startup", f"{name}: processes", {OURS: max(look.processes for look in idle)}),
        Row("startup", f"{name}: threads", {OURS: max(look.threads for look in idle)}),
    ]


async def stop(stage: Stage) -> list[Row]:
    """From POST .../stop to the upstream's closed socket, and to the end of the client's stream."""
    closed: dict[str, float] = {}
    ended: dict[str, float] = {}
    for name in (OURS, RELAY):
        if name not in stage.servers:
            continue
        times = [await _stop_once(stage, name) for _ in range(stage.choose(10, 4))]
        closed[name] = max(row[0] for row in times)
        ended[name] = max(row[1] for row in times)
    return [
        Row("stop", "upstream closed after, ms, slowest", closed, 1000),
        Row("stop", "client's stream ended after, ms, slowest", ended),
    ]


async def _stop_once(stage: Stage, name: str) -> tuple[float, float]:
    server = stage.servers[name]
    client, exchange = Client(server.url, server.token), Exchange()
    await stage.upstream_stats(reset=True)
    running = asyncio.create_task(client.run(Talk(client).request(Spec(400, 20, 25)), exchange, seconds=30))
    await asyncio.wait_for(exchange.first.wait(), 30)
    await asyncio.sleep(0.3)
    found = _TASK.search(exchange.body)
    if found is None:
        raise RuntimeError(f"no task_id in {exchange.status} {exchange.body[:300]!r}")
    path = f"/v1/chat-messages/{found[1].decode()}/stop"
    asked = time.monotonic()
    await client.run(client.build("POST", path, {"user": "bench"}))
    await running
    client.close()
    for _ in range(60):
        if (stats := await stage.upstream_stats()).aborts:
            return 1000 * (stats.aborts[-1].at - asked), 1000 * (exchange.done_at - asked)
        await asyncio.sleep(0.1)
    stage.notes.append(f"{name}: the upstream's socket was never closed")
    return 60_000.0, 1000 * (exchange.done_at - asked)
