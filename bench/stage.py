"""What a scenario works with: the servers that run, and the rows it prints."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench.http1 import Client
from bench.load import Outcome, Plan, drive
from bench.processes import Project, Server, start_asgi, start_upstream
from bench.upstream import Stats

OURS, RELAY, BARE = "ours", "relay", "bare"


class Row(msgspec.Struct):
    """One printed figure. `limit` holds for ours, or for ours divided by `against` when that names a yardstick."""

    scenario: str
    figure: str
    values: dict[str, float]
    limit: float | None = None
    against: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the relay (or by `against`)."""
        below = self.values.get(self.against or RELAY, 0.0)
        return self.values[OURS] / below if OURS in self.values and below else None

    @property
    def verdict(self) -> str:
        """`ok`, `OVER`, or empty when nothing is to be held."""
        held = self.ratio if self.against else self.values.get(OURS)
        if self.limit is None or held is None:
            return ""
        return "ok" if held <= self.limit else "OVER"


@dataclass(slots=True)
class Stage:
    """The servers of one bench run. `project` is None when only the yardsticks run."""

    folder: Path
    upstream: Server
    servers: dict[str, Server]
    project: Project | None
    quick: bool
    notes: list[str] = field(default_factory=list)

    def choose(self, full: int, quick: int) -> int:
        """How many: the full number, or the quick one."""
        return quick if self.quick else full

    def stop_ours(self) -> None:
        """Ends the server under test, for a scenario that starts its own."""
        if server := self.servers.pop(OURS, None):
            server.stop()

    def start_ours(self, **more: str) -> Server:
        """Starts the server under test again."""
        assert self.project is not None
        self.servers = {OURS: self.project.start(**more)} | self.servers
        return self.servers[OURS]

    def ensure_ours(self) -> None:
        """Starts the server under test if it is wanted and does not run."""
        server = self.servers.get(OURS)
        if self.project and (server is None or server.process.poll() is not None):
            self.start_ours()

    async def rounds(self, plan: Plan, names: Iterable[str], times: int = 1) -> dict[str, list[Outcome]]:
        """Runs a plan on several servers in turn, `times` over, so that noise meets all of them alike."""
        seen: dict[str, list[Outcome]] = {name: [] for name in names if name in self.servers}
        for _ in range(times):
            for name, outcomes in seen.items():
                server = self.servers[name]
                outcome = await drive(server.url, server.token, plan, server.pid)
                outcomes.append(outcome)
                self.notes += [f"{name}: {fault}" for fault in outcome.errors[:2]]
        return seen

    async def upstream_stats(self, reset: bool = False) -> Stats:
        """What the upstream saw; with `reset` it forgets afterwards."""
        client = Client(self.upstream.url)
        exchange = await client.run(client.build("GET", "/stats"))
        if reset:
            await client.run(client.build("POST", "/reset", {}))
        client.close()
        return msgspec.json.decode(exchange.body, type=Stats)

    def close(self) -> None:
        """Ends every process of the run."""
        for server in (*self.servers.values(), self.upstream):
            server.stop()


def build(*, with_project: bool, postgres: str = "", redis: str = "", settings: str = "", quick: bool = False) -> Stage:
    """Starts the upstream, the yardsticks and (prepared in a temporary folder) the server under test."""
    folder = Path(tempfile.mkdtemp(prefix="difyproj-bench-"))
    upstream = start_upstream(folder)
    stage = Stage(folder, upstream, {}, None, quick)
    try:
        stage.servers[RELAY] = start_asgi(RELAY, "bench.relay:app", folder, upstream)
        stage.servers[BARE] = start_asgi(BARE, "bench.bare:app", folder)
        if with_project:
            stage.project = Project(folder, upstream, postgres, redis, settings)
            stage.project.prepare()
            stage.start_ours()
    except BaseException:
        stage.close()
        raise
    return stage


def median(outcomes: Sequence[Outcome], name: str) -> float:
    """The median over rounds of a figure of `Outcome`."""
    return statistics.median(float(getattr(outcome, name)) for outcome in outcomes)


def every(outcomes: Sequence[Outcome], name: str) -> list[float]:
    """A list figure of all rounds together."""
    return [value for outcome in outcomes for value in getattr(outcome, name)]
