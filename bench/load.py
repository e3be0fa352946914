"""A load client against the Service API: closed loop (N at once) or open loop (so many a second), and what it saw.

`.venv/bin/python -m bench.load --url http://127.0.0.1:8000 --token app-... --pid 123 --concurrency 8 --requests 100`
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from uvicorn.loops.auto import auto_loop_factory

from bench import procfs
from bench.http1 import BrokenConnection, Client, Exchange
from bench.wire import Spec, check

_SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask, how often, and how many at once. `rate` (per second) makes it an open loop."""

    spec: Spec
    path: str = "/v1/chat-messages"
    blocking: bool = False
    same_conversation: bool = False
    requests: int = 100
    concurrency: int = 8
    rate: float = 0.0
    seconds: float = 300.0


@dataclass(slots=True)
class Outcome:
    """What the client saw. Times in milliseconds over the upstream's own; `cpu` is server seconds, children included."""

    requests: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    first_ms: list[float] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Finished requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def cpu_ms(self) -> float:
        """Server CPU milliseconds per request."""
        return 1000 * self.cpu / self.requests if self.requests else 0.0


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of `values` lie; 0 when there is none."""
    if not values:
        return 0.0
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def records(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON records of an SSE body; pings and ids are passed over."""
    for line in body.split(b"\n"):
        if line.startswith(b"data: "):
            yield msgspec.json.decode(line[6:])


@dataclass(slots=True)
class Answer:
    """One chat answer, read: its text, its conversation and what went wrong."""

    text: str = ""
    conversation_id: str = ""
    task_id: str = ""
    fault: str = ""


def read_answer(exchange: Exchange, blocking: bool) -> Answer:
    """Reads a chat answer; `fault` is empty when it ended as it should."""
    if exchange.status != 200:
        return Answer(fault=f"status {exchange.status}: {exchange.body[:160].decode(errors='replace')}")
    if blocking:
        body = msgspec.json.decode(exchange.body)
        return Answer(body["answer"], body["conversation_id"], body.get("task_id", ""))
    answer, ended, parts = Answer(), False, []
    for record in records(exchange.body):
        answer.conversation_id = record.get("conversation_id", answer.conversation_id)
        answer.task_id = record.get("task_id", answer.task_id)
        if record["event"] == "message":
            parts.append(record["answer"])
        elif record["event"] == "message_replace":
            parts = [record["answer"]]
        elif record["event"] == "error":
            answer.fault = f"error event {record.get('code')}: {record.get('message')}"
        ended = record["event"] == "message_end"
    answer.text = "".join(parts)
    answer.fault = answer.fault or ("" if ended else "no message_end")
    return answer


class Load:
    """Drives one server by a plan. One use."""

    def __init__(self, base_url: str, token: str, plan: Plan) -> None:
        self._client = Client(base_url, token)
        self._plan = plan
        self._left = plan.requests
        self.outcome = Outcome()

    async def run(self, pid: int = 0) -> Outcome:
        """Warms up, measures, and settles so that trailing work is counted; `pid` is the root of the server's processes."""
        conversations = await self._warm_up()
        self.outcome = Outcome()
        cpu = procfs.cpu_seconds(pid) if pid else 0.0
        began = time.monotonic()
        if self._plan.rate:
            await self._open_loop()
        else:
            await asyncio.gather(*(self._worker(*start) for start in enumerate(conversations)))
        self.outcome.seconds = time.monotonic() - began
        await asyncio.sleep(_SETTLE_SECONDS)
        self.outcome.cpu = procfs.cpu_seconds(pid) - cpu if pid else 0.0
        self._client.close()
        return self.outcome

    async def _warm_up(self) -> list[str]:
        if self._plan.rate or self._plan.concurrency > 200:
            return [""] * self._plan.concurrency
        quick = replace(self._plan.spec, first_ms=0, token_ms=0)
        opened = await asyncio.gather(*(self._ask("", quick) for _ in range(self._plan.concurrency)))
        return opened if self._plan.same_conversation else [""] * self._plan.concurrency

    async def _worker(self, number: int, conversation: str) -> None:
        """Asks until nothing is left; paced workers begin spread out, so that their tokens do not come in one beat."""
        await asyncio.sleep(min(self._plan.spec.seconds, 1.0) * number / self._plan.concurrency)
        while self._left > 0:
            self._left -= 1
            await self._ask(conversation, self._plan.spec)

    async def _open_loop(self) -> None:
        loop, tasks = asyncio.get_running_loop(), []
        began = loop.time()
        for number in range(self._plan.requests):
            due = began + number / self._plan.rate
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(self._ask("", self._plan.spec)))
        await asyncio.gather(*tasks)

    async def _ask(self, conversation: str, spec: Spec) -> str:
        """One request, its figures noted; the conversation's id."""
        asked_at = time.monotonic()
        try:
            exchange = await self._client.run(self._request(conversation, spec), seconds=self._plan.seconds)
        except (BrokenConnection, OSError, TimeoutError) as error:
            self.outcome.errors.append(f"{type(error).__name__}: {error}")
            return conversation
        if self._plan.path != "/v1/chat-messages":
            return self._note_plain(exchange, asked_at)
        answer = read_answer(exchange, self._plan.blocking)
        checked = check(answer.text, spec.tokens)
        if fault := answer.fault or checked.fault:
            self.outcome.errors.append(fault)
            return answer.conversation_id
        wait = checked.upstream_sent - checked.upstream_received
        own_total = wait + spec.token_ms * max(spec.tokens - 1, 0) / 1000
        self._note((exchange.first_at or exchange.done_at) - asked_at - wait, exchange.done_at - asked_at - own_total)
        return answer.conversation_id

    def _note_plain(self, exchange: Exchange, asked_at: float) -> str:
        if exchange.status == 200:
            self._note(exchange.done_at - asked_at, exchange.done_at - asked_at)
        else:
            self.outcome.errors.append(f"status {exchange.status}")
        return ""

    def _note(self, first: float, total: float) -> None:
        self.outcome.requests += 1
        self.outcome.first_ms.append(1000 * first)
        self.outcome.total_ms.append(1000 * total)

    def _request(self, conversation: str, spec: Spec) -> bytes:
        if self._plan.path != "/v1/chat-messages":
            return self._client.build("GET", f"{self._plan.path}?user=bench")
        body = {
            "inputs": {},
            "query": f"Please say {spec}",
            "user": "bench",
            "response_mode": "blocking" if self._plan.blocking else "streaming",
            "conversation_id": conversation,
            "auto_generate_name": False,
        }
        return self._client.build("POST", self._plan.path, body)


async def drive(base_url: str, token: str, plan: Plan, pid: int = 0) -> Outcome:
    """Runs a plan against a server and says what the client saw."""
    return await Load(base_url, token, plan).run(pid)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default="")
    parser.add_argument("--pid", type=int, default=0, help="root of the server's process tree, for CPU and memory")
    parser.add_argument("--path", default="/v1/chat-messages", help="or a GET route such as /v1/parameters")
    parser.add_argument("--spec", default="bench-100-0-0", help="bench-TOKENS-FIRSTMS-TOKENMS")
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second: an open loop")
    parser.add_argument("--blocking", action="store_true")
    parser.add_argument("--same-conversation", action="store_true", help="each worker stays in one conversation")
    return parser.parse_args()


def main() -> None:
    """Runs one plan from the command line and prints it."""
    args = _parse()
    spec = Spec.find(args.spec.encode()) or Spec()
    plan = Plan(spec, args.path, args.blocking, args.same_conversation, args.requests, args.concurrency, args.rate)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        seen = runner.run(drive(args.url, args.token, plan, args.pid))
    print(f"{seen.requests} requests in {seen.seconds:.2f} s, {seen.per_second:.1f} a second, {len(seen.errors)} errors")
    for name, values in (("first event", seen.first_ms), ("total", seen.total_ms)):
        print(f"{name} over the upstream's own: p50 {quantile(values, 0.5):.1f} ms, p95 {quantile(values, 0.95):.1f} ms")
    for fault in seen.errors[:5]:
        print("error:", fault)
    if args.pid:
        print(f"server CPU {seen.cpu_ms:.2f} ms per request; {procfs.look(args.pid)}")


if __name__ == "__main__":
    main()
