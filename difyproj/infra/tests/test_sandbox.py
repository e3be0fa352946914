"""What every sandbox does, whatever its walls: it answers, forgets, ends what is late and replaces what died."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from difyproj.infra import sandbox as front
from difyproj.infra.sandbox import workers
from difyproj.infra.sandbox.embedded import Embedded
from difyproj.infra.sandbox.inside import seccomp
from difyproj.infra.sandbox.programs import Bounds
from difyproj.infra.sandbox.sandbox import Sandbox
from difyproj.infra.sandbox.walls import WALLS
from difyproj.kernel.errors import InvalidParam, ServiceUnavailable
from workflows.engine.ports import CodeExecutionError, CodeLimits

from .sandboxes import BOUNDS, SECONDS, out, sandbox_behind

HELLO = {
    "python3": "def main(name):\n    return {'out': 'Hello ' + name}",
    "javascript": "function main({name}) { return {out: 'Hello ' + name} }",
}
LEAVE = {
    "python3": "import json\nleft = 1\njson.left = 1\ndef main():\n    return {'out': 1}",
    "javascript": "globalThis.left = Object.prototype.left = 1; function main() { return {out: 1} }",
}
FIND = {
    "python3": "import json\ndef main():\n    return {'out': [left, json.left]}",
    "javascript": "function main() { return {out: [left, Object.prototype.left]} }",
}
ENDLESS = {"python3": "def main():\n    while True: pass", "javascript": "function main() { while (true) {} }"}
LANGUAGES = pytest.mark.parametrize("language", HELLO)


@pytest.fixture(scope="module", params=list(WALLS))
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with sandbox_behind(request.param) as made:
        yield made


@pytest.fixture
def one(sandbox: Sandbox, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox that has nothing running yet, and room for one worker of a kind."""
    with sandbox_behind(request.node.callspec.params["sandbox"], size=1) as made:
        yield made


def pids(sandbox: Sandbox) -> list[int]:
    """The warm workers."""
    return [worker.process.pid for workers in sandbox._workers.values() for worker in workers._idle]


def status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in status(pid)
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    """Waits until the process is no more, or no more than its name."""
    async with asyncio.timeout(5):
        while is_alive(pid):
            await asyncio.sleep(0.01)


@LANGUAGES
async def test_code_answers_and_its_worker_is_kept_for_the_next_call(one: Sandbox, language: str) -> None:
    assert pids(one) == []
    assert await out(one, HELLO[language], language, name="Ann") == "Hello Ann"
    warm = pids(one)
    assert len(warm) == 1
    assert await out(one, HELLO[language], language, name="Bob") == "Hello Bob"
    assert pids(one) == warm


@LANGUAGES
async def test_values_come_and_go_as_they_are(sandbox: Sandbox, language: str) -> None:
    value: dict[str, Any] = {"é\U0001f600": ["\0", "\"'\\", None, True, 0.1, -1, 2**53, {}, []], "long": "x" * 1_000_000}
    code = {"python3": "def main(v):\n    return {'out': v}", "javascript": "function main({v}) { return {out: v} }"}
    assert await out(sandbox, code[language], language, v=value) == value


@LANGUAGES
async def test_one_call_finds_nothing_of_another(one: Sandbox, language: str) -> None:
    try:
        assert await out(one, LEAVE[language], language) == 1
    except CodeExecutionError as error:
        assert "left" in str(error)
    with pytest.raises(CodeExecutionError, match="left"):
        await out(one, FIND[language], language)


@LANGUAGES
async def test_an_endless_call_ends_and_the_next_one_works(one: Sandbox, language: str) -> None:
    began = time.monotonic()
    with pytest.raises(CodeExecutionError, match="took too long"):
        await out(one, ENDLESS[language], language)
    assert time.monotonic() - began < 3 * SECONDS + 2
    assert await out(one, HELLO[language], language, name="Ann") == "Hello Ann"


@LANGUAGES
async def test_more_calls_than_workers_wait_for_each_other(sandbox: Sandbox, language: str) -> None:
    calls = [out(sandbox, HELLO[language], language, name=str(number)) for number in range(10)]
    assert await asyncio.gather(*calls) == [f"Hello {number}" for number in range(10)]
    assert len(sandbox._workers[sandbox._languages[language][0].name]._idle) <= 2


@LANGUAGES
async def test_a_cancelled_call_ends_its_worker_at_once(one: Sandbox, language: str) -> None:
    assert await out(one, HELLO[language], language, name="Ann") == "Hello Ann"
    (pid,) = pids(one)
    call = asyncio.create_task(out(one, ENDLESS[language], language))
    await asyncio.sleep(0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await gone(pid)
    assert await out(one, HELLO[language], language, name="Bob") == "Hello Bob"


@LANGUAGES
async def test_a_worker_that_died_is_replaced(one: Sandbox, language: str) -> None:
    assert await out(one, HELLO[language], language, name="Ann") == "Hello Ann"
    (pid,) = pids(one)
    os.kill(pid, signal.SIGKILL)
    while one._workers[one._languages[language][0].name]._idle[0].is_alive():
        await asyncio.sleep(0.01)
    assert await out(one, HELLO[language], language, name="Bob") == "Hello Bob"
    assert pids(one) != [pid]


async def test_a_worker_that_is_not_used_ends(one: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "IDLE_SECONDS", 0.2)
    assert await one.render("{{ a }}", {"a": 1}, limit=10) == "1"
    (pid,) = pids(one)
    await gone(pid)
    assert pids(one) == []
    assert await one.render("{{ a }}", {"a": 2}, limit=10) == "2"


async def test_variables_that_are_too_large_or_without_end_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(CodeExecutionError, match="more than 33554432 bytes"):
        await out(sandbox, HELLO["python3"], name="x" * 34_000_000)
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(CodeExecutionError, match="cannot be given"):
        await out(sandbox, HELLO["python3"], name=endless)


async def test_workers_end_with_the_sandbox(one: Sandbox) -> None:
    assert await one.render("{{ a }}", {"a": 1}, limit=10) == "1"
    assert await out(one, HELLO["python3"], name="Ann") == "Hello Ann"
    running = pids(one)
    assert len(running) == 2
    await one.aclose()
    for pid in running:
        await gone(pid)
    assert await one.render("{{ a }}", {"a": 2}, limit=10) == "2"


@pytest.mark.parametrize("sandbox", ["embedded"], indirect=True)
@pytest.mark.skipif(os.uname().machine not in seccomp.ARCHITECTURES, reason="No filter for this machine.")
async def test_programs_that_only_compute_are_behind_a_filter_of_the_kernel(one: Sandbox) -> None:
    await one.render("{{ a }}", {}, limit=10)
    await out(one, HELLO["javascript"], "javascript", name="Ann")
    states = [status(pid) for pid in pids(one)]
    assert len(states) == 2
    assert all("Seccomp:\t2" in state and "NoNewPrivs:\t1" in state for state in states)


async def test_templates_are_rendered(sandbox: Sandbox) -> None:
    text = "{% for name in names %}{{ loop.index }}. {{ name|upper }}\n{% endfor %}"
    assert await sandbox.render(text, {"names": ["é", "b"]}, limit=100) == "1. É\n2. B\n"
    with pytest.raises(InvalidParam, match="longer than 3 characters"):
        await sandbox.render("{{ a }}", {"a": "abcd"}, limit=3)


async def test_a_message_of_any_length_stays_readable(sandbox: Sandbox) -> None:
    with pytest.raises(CodeExecutionError) as refusal:
        await out(sandbox, "def main():\n    raise ValueError('x' * 1000000)")
    assert len(str(refusal.value)) <= 2000


async def test_a_result_that_is_too_large_is_refused(sandbox: Sandbox) -> None:
    for language, code in {
        "python3": "def main():\n    return {'out': 'x' * 10_000_000}",
        "javascript": "function main() { return {out: 'x'.repeat(10_000_000)} }",
    }.items():
        with pytest.raises(CodeExecutionError, match="bytes came out"):
            await out(sandbox, code, language)


RICH = (
    "import html, logging\nclass Base:\n    pass\nclass Made(Base):\n    def __len__(self): return 3\n"
    "def main(text):\n    return {'out': html.escape(text) * len(Made())}"
)


@pytest.mark.parametrize("sandbox", ["bwrap"], indirect=True)
async def test_what_monty_does_not_know_is_tried_by_a_whole_python(sandbox: Sandbox) -> None:
    assert await out(sandbox, RICH, text="<") == "&lt;" * 3
    with pytest.raises(CodeExecutionError, match=r"^Line 2: ModuleNotFoundError: No module named 'numpy'"):
        await out(sandbox, "import html\nimport numpy")


async def test_a_whole_python_has_the_packages_that_the_operator_gave(tmp_path: Path) -> None:
    (tmp_path / "own_package.py").write_text("def twice(number):\n    return number * 2\n")
    walls = WALLS.get("bwrap")(packages=str(tmp_path))
    if reason := walls.refusal():
        pytest.skip(f"No bwrap walls here: {reason}")
    sandbox = Sandbox(walls, size=1, bounds=BOUNDS)
    code = "import own_package\ndef main(number):\n    return {'out': own_package.twice(number)}"
    assert await out(sandbox, code, number=21) == 42
    with pytest.raises(CodeExecutionError, match="Read-only file system"):
        await out(sandbox, "import own_package\nopen(own_package.__file__, 'a')")
    await sandbox.aclose()


@pytest.mark.parametrize("sandbox", ["embedded"], indirect=True)
async def test_without_a_whole_python_what_is_missing_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(CodeExecutionError, match=r"NotImplementedError: .*class inheritance"):
        await out(sandbox, RICH, text="<")


class Broken(Embedded):
    """Walls whose programs do not exist."""

    def command(self, *args: object) -> list[str]:
        return ["/bin/false"]


async def test_a_sandbox_that_does_not_start_is_no_fault_of_the_code() -> None:
    sandbox = Sandbox(Broken(), size=1, bounds=BOUNDS)
    for _ in range(2):
        with pytest.raises(ServiceUnavailable, match="does not start"):
            await out(sandbox, HELLO["python3"], name="Ann")
        with pytest.raises(ServiceUnavailable):
            await sandbox.render("{{ 1 }}", {}, limit=10)


async def test_the_operator_chooses_walls_and_limits(settings: Settings) -> None:
    settings.SANDBOX_SECONDS, settings.SANDBOX_BACKEND = 0.2, "embedded"
    settings.CODE_LIMITS = {"string": 7}
    front._sandbox.cache_clear()
    try:
        began = time.monotonic()
        with pytest.raises(CodeExecutionError, match="took too long"):
            await front.get_sandbox().run_code("python3", ENDLESS["python3"], {})
        assert time.monotonic() - began < 1.5
        assert front.code_limits() == CodeLimits(string=7)
        await front.aclose()
    finally:
        front._sandbox.cache_clear()


@pytest.mark.parametrize(
    ("wanted", "refusal", "chosen", "level"),
    [
        ("auto", "", "bwrap", None),
        ("auto", "no user namespaces", "embedded", "INFO"),
        ("bwrap", "no user namespaces", "bwrap", "ERROR"),
        ("embedded", "no user namespaces", "embedded", None),
    ],
)
def test_walls_are_what_the_operator_wants_and_never_weaker_in_silence(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wanted: str,
    refusal: str,
    chosen: str,
    level: str | None,
) -> None:
    settings.SANDBOX_BACKEND = wanted
    caplog.set_level("INFO", logger="dify.sandbox")
    monkeypatch.setattr(WALLS.get("bwrap"), "refusal", lambda self: refusal)
    assert isinstance(front._walls(), WALLS.get(chosen))
    told = [(record.levelname, refusal in record.getMessage()) for record in caplog.records if record.name == "dify.sandbox"]
    assert told == ([(level, True)] if level else [])


def test_nothing_runs_before_the_first_call() -> None:
    sandbox = Sandbox(Embedded(), size=3, bounds=Bounds(1.0, 1024**2))
    assert pids(sandbox) == []
