"""No module but the egress client opens an outgoing connection: no other HTTP client, no raw socket (security row D1)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("accounts", "apps", "datasets", "workflows", "difyproj")
NOT_PRODUCT = {"tests", "testing", "bench", "migrations"}
THE_CLIENT = "difyproj/kernel/http.py"

# A module whose import alone means a second way out, and single names of modules that have other uses.
CLIENTS = {"httpx", "httpx2", "requests", "urllib3", "http.client", "urllib.request", "ftplib", "smtplib", "telnetlib"} | {
    "pycurl", "websockets", "websocket", "xmlrpc.client", "paramiko", "aiofiles.http", "poplib", "imaplib", "niquests",
}  # fmt: skip
NAMES = {
    "socket.socket", "socket.create_connection", "socket.SocketType", "asyncio.open_connection", "asyncio.open_unix_connection",
    "aiohttp.ClientSession", "aiohttp.request", "aiohttp.TCPConnector", "aiohttp.UnixConnector", "aiohttp.ClientRequest",
}  # fmt: skip
METHODS = {"create_connection", "create_unix_connection", "sock_connect", "ws_connect"}
# The operator's virus scanner speaks no HTTP and is no address that a caller could name.
THE_SCANNER, ITS_WAYS = "difyproj/infra/virus_scan.py", {"asyncio.open_connection", "asyncio.open_unix_connection"}
# Between us and the processes that read documents: pairs of sockets, which are made together and have no address.
THE_READERS, THEIR_PAIRS = ("difyproj/infra/documents.py", "difyproj/infra/extraction_process.py"), {"socket.socket"}
# Parts of the client itself: its errors and its answers.
MAY_IMPORT_AIOHTTP = {THE_CLIENT, "difyproj/kernel/egress_errors.py", "difyproj/kernel/egress_response.py"}


def product_files() -> list[Path]:
    found = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    return [path for path in found if not NOT_PRODUCT & set(path.relative_to(ROOT).parts)]


def ways_out(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of everything in ``source`` that reaches the network past the egress client."""
    tree = ast.parse(source)
    aliases = dict(_imported(tree))
    for line, name in _imports(tree):
        if any(name == client or name.startswith(f"{client}.") for client in CLIENTS) or name in NAMES:
            yield line, name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            dotted = _dotted(node, aliases)
            if dotted in NAMES or node.attr in METHODS or any(dotted.startswith(f"{client}.") for client in CLIENTS):
                yield node.lineno, dotted or node.attr
        elif isinstance(node, ast.Call) and _dotted(node.func, aliases) in ("__import__", "importlib.import_module"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and argument.value in CLIENTS | {"aiohttp", "socket"}:
                    yield node.lineno, str(argument.value)


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, part.name) for part in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{part.name}") for part in node.names)


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The name a module uses, and the full name behind it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for part in node.names:
                top = part.name.partition(".")[0]
                yield (part.asname, part.name) if part.asname else (top, top)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((part.asname or part.name, f"{node.module}.{part.name}") for part in node.names)


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return aliases.get(node.id, "__import__" if node.id == "__import__" else "")
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, aliases)
        return f"{before}.{node.attr}" if before else ""
    return ""


def test_there_is_a_product_to_look_at() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in product_files()}
    assert THE_CLIENT in names and len(names) > 20


@pytest.mark.parametrize("path", product_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_reaches_the_network_through_the_egress_client_only(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    source = path.read_text(encoding="utf-8")
    if name != THE_CLIENT:
        allowed = ITS_WAYS if name == THE_SCANNER else THEIR_PAIRS if name in THE_READERS else set()
        assert name not in THE_READERS or not re.search(r"\.(connect(_ex)?|bind|listen|accept)\(|AF_INET", source)
        assert [way for way in ways_out(source) if way[1] not in allowed] == []
    if name not in MAY_IMPORT_AIOHTTP:
        assert "aiohttp" not in {module.partition(".")[0] for _, module in _imports(ast.parse(source))}


@pytest.mark.parametrize(
    "source",
    [
        "import requests",
        "import httpx as h",
        "from urllib.request import urlopen",
        "from urllib import request",
        "import urllib.request",
        "import http.client",
        "from http import client",
        "import socket\nsocket.create_connection(('a', 1))",
        "import socket as s\ns.socket()",
        "from socket import socket",
        "from asyncio import open_connection as oc",
        "import asyncio\nasyncio.open_connection('a', 1)",
        "import asyncio\nasyncio.get_running_loop().create_connection(x, 'a', 1)",
        "from aiohttp import ClientSession",
        "import aiohttp\naiohttp.ClientSession()",
        "import aiohttp as a\na.request('GET', 'x')",
        "def f():\n    import requests",
        "from importlib import import_module\nimport_module('requests')",
        "__import__('httpx')",
    ],
)
def test_the_check_sees_every_way_out(source: str) -> None:
    assert list(ways_out(source))


@pytest.mark.parametrize(
    "source", ["import urllib.parse", "import socket\nsocket.gethostname()", "from http import HTTPStatus"]
)
def test_the_check_leaves_harmless_neighbours_alone(source: str) -> None:
    assert list(ways_out(source)) == []
