"""Code and templates of strangers keep nothing, reach nothing and stop nobody (rows E1 and E2 of the threat list)."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from difyproj.infra.sandbox.sandbox import Sandbox
from difyproj.kernel.errors import InvalidParam
from workflows.engine.ports import CodeExecutionError

from .sandboxes import SECONDS, out, sandbox_behind

WITNESS: Final = "SANDBOX_WITNESS"
# Only CPython knows the module: code that begins so runs in the whole Python, where there is one.
WHOLE: Final = "import html\n"
# What callers are told when not the code but its whole worker has ended.
DIED: Final = "It needs too much memory or time."
MOST_GROWTH: Final = 64 * 1024
# Code may be tried twice, each time with the grace of its worker.
LONGEST: Final = 2 * (SECONDS + 2.0) + 3.0

PYTHON: Final = {
    "a file of the system": "return {'out': open('/etc/passwd').read()}",
    "a file of the project": f"return {{'out': open({str(Path(__file__).resolve())!r}).read()}}",
    "a file by its path": "import pathlib\nreturn {'out': pathlib.Path('/etc/hostname').read_text()}",
    "the processes": "import os\nreturn {'out': os.listdir('/proc')}",
    "the memory of the parent": "import os\nreturn {'out': str(open(f'/proc/{os.getppid()}/mem', 'rb'))}",
    "the environment of the parent": "import os\nreturn {'out': str(open(f'/proc/{os.getppid()}/environ', 'rb').read())}",
    "a socket": "import socket\nsocket.socket()\nreturn {'out': 1}",
    "a unix socket": "import socket\nsocket.socket(socket.AF_UNIX)\nreturn {'out': 1}",
    "a name": "import socket\nreturn {'out': str(socket.getaddrinfo('example.com', 80))}",
    "a page": "import urllib.request\nreturn {'out': str(urllib.request.urlopen('http://127.0.0.1:8000'))}",
    "a fork": "import os\nos.fork()\nreturn {'out': 1}",
    "a fork bomb": "import os\nwhile True:\n        os.fork()",
    "a program": "import subprocess, sys\nreturn {'out': str(subprocess.run([sys.executable, '-V'], capture_output=True))}",
    "a shell": "import os\nassert os.system('id') == 0\nreturn {'out': 1}",
    "another program": "import os, sys\nos.execv(sys.executable, ['python', '-c', 'while True: pass'])",
    "a signal to the parent": "import os\nos.kill(os.getppid(), 9)\nreturn {'out': 1}",
    "a signal to all": "import os\nos.kill(-1, 9)\nreturn {'out': 1}",
    "limits of the parent": "import os, resource as r\nr.prlimit(os.getppid(), r.RLIMIT_CPU, (1, 1))\nreturn {'out': 1}",
    "limits lifted": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nreturn {'out': 1}",
    "a namespace": "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0\nreturn {'out': 1}",
    "tracing": "import ctypes, os\nassert ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0\nreturn {'out': 1}",
    "a mount": "import ctypes\nassert ctypes.CDLL(None).mount(b'x', b'/scratch', b'tmpfs', 0, 0) == 0\nreturn {'out': 1}",
    "a system call in another mode": "import ctypes\nassert ctypes.CDLL(None).syscall(0x40000000 + 57) == 0\nreturn {'out': 1}",
    "a new system call": "import ctypes\nassert ctypes.CDLL(None).syscall(435, 0, 0) == 0\nreturn {'out': 1}",
    "a symbolic link": "import os\nos.symlink('/etc/passwd', 'link')\nreturn {'out': open('link').read()}",
    "the library changed": "import os\nopen(os.__file__, 'a').write('x')\nreturn {'out': 1}",
    "the folder of libraries": "open('/usr/lib/x', 'w').write('x')\nreturn {'out': 1}",
    "a device": "open('/dev/x', 'w').write('x' * 10**6)\nreturn {'out': 1}",
    "shared memory": "open('/dev/shm/x', 'w').write('x' * 10**6)\nreturn {'out': 1}",
    "the root": "open('/x', 'w').write('x')\nreturn {'out': 1}",
    "a folder": "import os\nos.mkdir('/tmp')\nos.mkdir('x')\nreturn {'out': 1}",
    "a file in memory": "import os\nos.memfd_create('x')\nreturn {'out': 1}",
    "a temporary file": "import tempfile\ntempfile.TemporaryFile()\nreturn {'out': 1}",
    "ten gigabytes": "return {'out': len('x' * 10**10)}",
    "ten gigabytes bit by bit": "kept = []\nwhile True:\n        kept.append([0] * 100_000)",
    "an endless loop": "while True: pass",
    "an endless loop that hears nothing": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "a long sleep": "import time\ntime.sleep(3600)",
    "endless recursion": "return main()",
    "a deep result": "made = []\nfor _ in range(1_000_000): made = [made]\nreturn {'out': made}",
    "a result within itself": "made = []\nmade.append(made)\nreturn {'out': made}",
    "a large result": "return {'out': ['x' * 1_000_000] * 60}",
    "an exit": "raise SystemExit(0)",
    "a hard exit": "import os\nos._exit(0)",
    "an abort": "import os\nos.abort()",
    "a forged result": "import os\nos.write(3, b'\\xff{]\\n')\nos._exit(0)",
    "a flood of results": "import os\nwhile True: os.write(3, b'x' * 100_000)",
    "the way to the server": "import os, socket\nsocket.socket(fileno=0).send(b'x')\nreturn {'out': 1}",
    "a broken memory": "import ctypes\nctypes.string_at(0)",
}  # fmt: skip
# These may end well: then nothing has come of them.
HARMLESS: Final[Mapping[str, tuple[str, Any]]] = {
    "a variable of the environment": (f"import os\nreturn {{'out': os.environ.get({WITNESS!r})}}", None),
    "a flood of prints": ("for _ in range(1_000_000): print('x' * 1000)\nreturn {'out': 1}", 1),
    "a catastrophic expression": ("import re\nreturn {'out': re.match('(a+)+$', 'a' * 40 + 'b')}", None),
    "a gadget of classes": ("return {'out': 'root:' in str(().__class__.__base__.__subclasses__())}", False),
    "a gadget of formats": ("return {'out': '{0.__init__.__globals__}'.format(Exception())}", ""),
    "a gadget of names": ("return {'out': f'{main.__globals__}'.count('SECRET_KEY')}", 0),
    "an import by another way": ("return {'out': [name for name in __import__('sys').modules if 'django' in name]}", []),
    "many threads": ("import threading as t, time\nfor _ in range(10000): t.Thread(target=time.sleep, args=(9,)).start()", 1),
}  # fmt: skip
USES: Final = {
    "threads": "from concurrent.futures import ThreadPoolExecutor as T\nreturn {'out': T(3).submit(abs, -1).result()}",
    "an event loop": "import asyncio\nreturn {'out': asyncio.run(asyncio.sleep(0.001, 1))}",
    "a sleep": "import time\ntime.sleep(0.01)\nreturn {'out': 1}",
    "modules of the library": "import sqlite3, ssl, lzma, xml.etree.ElementTree, zipfile\nreturn {'out': 1}",
    "a database in memory": "import sqlite3\nreturn {'out': sqlite3.connect(':memory:').execute('select 1').fetchone()[0]}",
    "time zones": "import zoneinfo\nreturn {'out': len([zoneinfo.ZoneInfo('Europe/London')])}",
    "chance": "import secrets\nreturn {'out': len([secrets.token_bytes(8)])}",
}  # fmt: skip
JAVASCRIPT: Final = {
    "the process": "return {out: process.env}",
    "modules": "return {out: require('fs')}",
    "the way to the process by constructors": "return {out: main.constructor('return process')().env}",
    "the way to the process by console": "return {out: console.log.constructor('return process.env')()}",
    "the network": "return {out: fetch('http://127.0.0.1')}",
    "scripts": "return {out: std.loadFile('/etc/passwd')}",
    "memory by arrays": "const kept = []; while (true) kept.push(new Array(100000).fill(1))",
    "memory by texts": "return {out: 'x'.repeat(2 ** 29).length + 'x'.repeat(2 ** 29).length}",
    "memory by buffers": "const kept = []; while (true) kept.push(new Uint8Array(2 ** 26))",
    "an endless loop": "while (true) {}",
    "an endless loop that hears nothing": "while (true) { try { while (true) {} } catch (e) {} }",
    "an endless loop behind the result": "return {out: 1, toJSON() { while (true) {} }}",
    "a catastrophic expression": "return {out: /(a+)+$/.test('a'.repeat(40) + 'b')}",
    "a slow sort": "return {out: Array.from({length: 10 ** 7}, (_, i) => -i).sort((a, b) => { while (true) {} })}",
    "endless recursion": "return main()",
    "a deep result": "let made = []; for (let i = 0; i < 1e6; i++) made = [made]; return {out: made}",
    "a result within itself": "const made = {}; made.out = made; return made",
    "a large result": "return {out: Array(60).fill('x'.repeat(1e6))}",
}
TEMPLATES: Final = {
    "a gadget of classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "a gadget of functions": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "a gadget of the template": "{{ self.__init__.__globals__.__builtins__.open('/etc/passwd').read() }}",
    "a gadget by filters": "{{ values|attr('__class__')|attr('__base__') }}",
    "a gadget by formats": "{{ '{0.__class__}'.format(values) }}",
    "the configuration": "{{ config.items() }}",
    "another template": "{% include '/etc/passwd' %}",
    "an import": "{% import 'os' as os %}{{ os.environ }}",
    "an endless loop": "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
    "endless recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a gigabyte at once": "{{ 'x' * 1000000000 }}",
    "a gigabyte bit by bit": "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "a gigabyte of text": "{% for i in range(9999) %}" + "x" * 300_000 + "{% endfor %}",
    "a wide number": "{{ '%1000000000d' % 1 }}",
}  # fmt: skip
WALLS: Final = ["embedded", "bwrap"]


@pytest.fixture(scope="module", params=WALLS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    os.environ[WITNESS] = "root:"
    with sandbox_behind(request.param) as made:
        yield made
    del os.environ[WITNESS]


@pytest.fixture(autouse=True)
async def _unharmed(sandbox: Sandbox) -> AsyncIterator[None]:
    """After each attack the sandbox answers as before; the attack took a bounded time, and our memory did not grow by it."""
    began, memory = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.monotonic() - began < LONGEST
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < MOST_GROWTH
    assert await out(sandbox, "def main():\n    return {'out': 1}") == 1
    assert await out(sandbox, "function main() { return {out: 2} }", "javascript") == 2
    assert await sandbox.render("{{ 3 }}", {}, limit=1) == "3"


def python(body: str) -> str:
    return "def main():\n    " + body.replace("\n", "\n    ")


@pytest.mark.parametrize("attack", PYTHON)
async def test_python_is_refused(sandbox: Sandbox, attack: str) -> None:
    with pytest.raises(CodeExecutionError) as refusal:
        await sandbox.run_code("python3", python(PYTHON[attack]), {})
    assert DIED not in str(refusal.value)


@pytest.mark.parametrize("attack", HARMLESS)
async def test_python_gains_nothing(sandbox: Sandbox, attack: str) -> None:
    body, harmless = HARMLESS[attack]
    try:
        found = await out(sandbox, python(body))
    except CodeExecutionError:
        return
    assert found == harmless


@pytest.mark.parametrize("sandbox", ["bwrap"], indirect=True)
@pytest.mark.parametrize("attack", PYTHON)
async def test_a_whole_python_is_refused(sandbox: Sandbox, attack: str) -> None:
    with pytest.raises(CodeExecutionError) as refusal:
        await sandbox.run_code("python3", WHOLE + python(PYTHON[attack]), {})
    assert "'html'" not in str(refusal.value)
    assert DIED not in str(refusal.value)


@pytest.mark.parametrize("sandbox", ["bwrap"], indirect=True)
@pytest.mark.parametrize("attack", HARMLESS)
async def test_a_whole_python_gains_nothing(sandbox: Sandbox, attack: str) -> None:
    body, harmless = HARMLESS[attack]
    try:
        found = await out(sandbox, WHOLE + python(body))
    except CodeExecutionError as error:
        assert "'html'" not in str(error)
    else:
        assert found == harmless


@pytest.mark.parametrize("sandbox", ["bwrap"], indirect=True)
@pytest.mark.parametrize("use", USES)
async def test_a_whole_python_can_do_what_it_may(sandbox: Sandbox, use: str) -> None:
    """So that the refusals above mean something."""
    assert await out(sandbox, WHOLE + python(USES[use])) == 1


@pytest.mark.parametrize("attack", JAVASCRIPT)
async def test_javascript_is_refused(sandbox: Sandbox, attack: str) -> None:
    with pytest.raises(CodeExecutionError):
        await sandbox.run_code("javascript", f"function main() {{ {JAVASCRIPT[attack]} }}", {})


@pytest.mark.parametrize("attack", TEMPLATES)
async def test_templates_are_refused(sandbox: Sandbox, attack: str) -> None:
    with pytest.raises(InvalidParam):
        await sandbox.render(TEMPLATES[attack], {"values": []}, limit=400_000)
