"""What the programs of the sandbox take away from themselves, each in a process that tries it out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from difyproj.infra.sandbox.bubblewrap import Bubblewrap
from difyproj.infra.sandbox.embedded import Embedded
from difyproj.infra.sandbox.inside import seccomp
from difyproj.infra.sandbox.programs import CPYTHON, HERE, JAVASCRIPT, PYTHON, TEMPLATE, Program
from difyproj.infra.sandbox.sandbox import Sandbox

from .sandboxes import BOUNDS, out

START: Final = "import sys; sys.path.insert(1, sys.argv[1])\nimport os, socket, signal, subprocess\n"
LANDLOCK: Final = (
    "from inside import landlock\nif not landlock.allow_reading([*sys.path, '/lib', '/lib64', '/usr']): sys.exit('none')\n"
)
PARENT: Final = "from inside import seccomp\nif not seccomp.install(seccomp.PARENT): sys.exit('none')\n"
COMPUTING: Final = (
    "from inside import confinement, seccomp\nif os.uname().machine not in seccomp.ARCHITECTURES: sys.exit('none')\n"
)
COMPUTING_FROM_HERE: Final = COMPUTING + "confinement.enclose(memory=2**30)\n"


def told(walls: str, body: str) -> str:
    """What ``body`` prints behind ``walls``; skips where this kernel knows none of them."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", START + walls + body, str(HERE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if done.stderr.strip() == "none":
        pytest.skip("This kernel knows no such walls.")
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "body", ["open('/etc/passwd')", "os.listdir('/proc')", "open(os.devnull)", "open(os.__file__, 'a')", "os.mkdir('/tmp/x')"]
)
def test_files_that_were_not_named_cannot_be_opened(body: str) -> None:
    assert "Permission" in told(LANDLOCK, body)


def test_named_files_can_be_read_and_programs_among_them_run() -> None:
    body = "print(len(open(os.__file__).read(5)), subprocess.run(['/usr/bin/env', 'true'], stdin=0, stdout=1).returncode)"
    assert told(LANDLOCK, body) == "5 0"


def test_what_a_walled_process_begins_is_walled() -> None:
    assert "Permission denied" in told(
        LANDLOCK, "subprocess.run(['/usr/bin/head', '/etc/passwd'], stdin=0, stdout=1, stderr=1)"
    )


@pytest.mark.parametrize(
    "body",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "os.symlink('a', '/tmp/x')",
        "os.mkdir('/tmp/x')",
        "os.setuid(1)",
        "os.chroot('/')",
    ],
)
def test_a_parent_program_has_no_network_and_changes_nothing(body: str) -> None:
    assert "PermissionError" in told(PARENT, body)


def test_a_parent_program_may_begin_and_end_another() -> None:
    body = "p = subprocess.Popen(['/bin/cat'], stdin=subprocess.PIPE)\np.kill()\nprint(p.wait())"
    assert told(PARENT, body) == "-9"


@pytest.mark.parametrize(
    "body",
    [
        "open(os.__file__)",
        "socket.socketpair()",
        "os.fork()",
        "os.kill(os.getppid(), 0)",
        "subprocess.run(['/bin/true'])",
        "os.getcwd()",
    ],
)
def test_a_program_that_only_computes_does_nothing_else(body: str) -> None:
    assert "PermissionError" in told(COMPUTING_FROM_HERE, body)


def test_a_program_that_only_computes_computes() -> None:
    assert told(COMPUTING_FROM_HERE, "print(len(bytearray(10**8)))") == "100000000"


def test_memory_has_an_end() -> None:
    body = "try:\n    bytearray(2**31)\nexcept MemoryError:\n    print('at an end')"
    assert told(COMPUTING_FROM_HERE, body) == "at an end"


@pytest.mark.skipif(os.uname().machine not in seccomp.ARCHITECTURES, reason="No filter for this machine.")
async def test_montys_interpreter_is_behind_the_filter() -> None:
    sandbox = Sandbox(Embedded(), size=1, bounds=BOUNDS)
    assert await out(sandbox, "def main():\n    return {'out': 1}") == 1
    (worker,) = sandbox._workers[PYTHON.name]._idle
    assert all("Seccomp:\t2" in status for status in statuses(worker.process.pid))
    await sandbox.aclose()


def statuses(pid: int) -> list[str]:
    """Of a worker and of what it began."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1
    return [Path(f"/proc/{one}/status").read_text() for one in (pid, *children)]


@pytest.mark.parametrize("program", [PYTHON, CPYTHON, JAVASCRIPT, TEMPLATE], ids=lambda program: program.name)
def test_no_folder_that_holds_the_project_is_shown_behind_walls(program: Program) -> None:
    words = Bubblewrap().command(program, BOUNDS)
    shown = [Path(words[at + 1]) for at, word in enumerate(words) if word in ("--ro-bind", "--bind")]
    assert HERE / "inside" in shown
    assert not [path for path in shown if HERE.is_relative_to(path) or Path("/usr/src").is_relative_to(path)]
    assert not [path for path in shown if path.is_relative_to("/etc") or path.is_relative_to("/proc")]
