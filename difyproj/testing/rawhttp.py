"""HTTP as bytes: requests that no client library would send, and whether what comes back is an answer of ours."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple
from urllib.parse import urlsplit

from difyproj.kernel import jsonio

TIMEOUT = 20.0
NOT_HTTP = b"Invalid HTTP request received."


class RawAnswer(NamedTuple):
    """``status`` 0: the server closed the connection without an answer."""

    status: int
    media_type: str
    body: bytes


def send(url: str, request: bytes, *, end: bool = False) -> RawAnswer:
    """Send ``request`` as it is and read the answer to its end; ``end`` closes the sending side before."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT) as connection:
        connection.sendall(request)
        if end:
            connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection, method=request.partition(b" ")[0].decode("ascii"))
        try:
            response.begin()
            body = response.read()
        except (HTTPException, ConnectionError):
            return RawAnswer(0, "", b"")
        return RawAnswer(response.status, (response.getheader("Content-Type") or "").partition(";")[0], body)


def request(method: str, target: bytes, headers: Mapping[str, bytes], body: bytes = b"") -> bytes:
    """One request; ``Content-Length`` is right unless ``headers`` say something else."""
    whole = {"Host": b"127.0.0.1", "Connection": b"close", "Content-Length": b"%d" % len(body), **headers}
    lines = b"".join(b"%s: %s\r\n" % (name.encode("ascii"), value) for name, value in whole.items())
    return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (method.encode("ascii"), target, lines, body)


def assert_ours(answer: RawAnswer, *, openai: bool = False) -> None:
    """No crash, and a refusal has its family's shape; what is no HTTP at all is refused by the server before us."""
    if answer.body == NOT_HTTP:
        return
    assert 200 <= answer.status < 500, answer
    if answer.status >= 400:
        assert answer.media_type == "application/json", answer
        body = jsonio.loads(answer.body)
        if openai:
            assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}, answer
            return
        assert {"code", "message", "status"} <= set(body) <= {"code", "message", "status", "params"}, answer
        assert body["status"] == answer.status
        assert isinstance(body["code"], str) and isinstance(body["message"], str)


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.lines.append(self.format(record))


@contextmanager
def quiet_log() -> Iterator[None]:
    """Nothing in this block may log an error or an exception."""
    complaints = _Complaints()
    logging.getLogger().addHandler(complaints)
    try:
        yield
        assert not complaints.lines, "\n".join(complaints.lines[:3])
    finally:
        logging.getLogger().removeHandler(complaints)
