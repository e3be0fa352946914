"""The part of ``requests`` that code uses. Each exchange is done by the other end, where the server's guard is."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import pydantic_monty as monty

from .frames import ask

METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options")
# Code that names them in an ``except`` gets that far only when something went wrong.
ERRORS: Final = ("RequestException", "HTTPError", "ConnectionError", "Timeout", "JSONDecodeError")
ALLOWED: Final = frozenset({"params", "data", "json", "headers", "auth", "timeout", "verify", "allow_redirects"})
Request = Callable[..., monty.ClassInstance]
SHOWN: Final = ("status_code", "ok", "reason", "url", "headers", "text", "content", "encoding")


class Response:
    """As ``requests`` has it. Raises ValueError for a body that is no JSON."""

    encoding = "utf-8"

    def __init__(self, told: Mapping[str, Any], body: bytes) -> None:
        self.status_code: int = told["status"]
        self.url: str = told["url"]
        self.headers = {name.title(): value for name, value in told["headers"]}
        self.content, self.text = body, body.decode("utf-8", "replace")
        self.ok = self.status_code < 400
        known = {status.value: status.phrase for status in HTTPStatus}
        self.reason = known.get(self.status_code, "")

    def json(self) -> Any:
        return json.loads(self.text)

    def raise_for_status(self) -> None:
        if not self.ok:
            raise OSError(f"{self.status_code} Error: {self.reason} for url: {self.url}")


def module() -> monty.ExternalModule:
    """What ``import requests`` gives."""
    return _module(request)


def refusing() -> monty.ExternalModule:
    """What it gives where the operator allows no requests: much code imports the name and never uses it."""
    return _module(refuse)


def _module(request: Request) -> monty.ExternalModule:
    errors = dict.fromkeys(ERRORS, "an error")
    functions = {name: partial(request, name) for name in METHODS}
    exceptions = monty.ExternalModule(errors)
    return monty.ExternalModule(
        {"request": request, "Session": partial(session, request), "exceptions": exceptions, **errors, **functions}
    )


class Session:
    """Requests one after the other; nothing is kept between them."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Request:
        return partial(self._request, name)


def session(request: Request) -> monty.ClassInstance:
    return monty.ClassInstance(Session(request), allowed_methods=METHODS)


def refuse(*_: Any, **__: Any) -> monty.ClassInstance:
    """Raises OSError, whatever is asked."""
    raise OSError("Code may not make requests on this server.")


def request(method: str, url: str, *values: Any, **options: Any) -> monty.ClassInstance:
    """One exchange. Raises OSError when it fails, TypeError for an option that is not known here."""
    if values:
        options[{"get": "params"}.get(method, "data")] = values[0]
    if unknown := options.keys() - ALLOWED:
        raise TypeError(f"requests knows no {', '.join(sorted(unknown))} here.")
    headers, body = _body(options)
    wanted = {
        "method": method.upper(),
        "url": url,
        "params": _pairs(options.get("params")),
        "headers": [(name, str(value)) for name, value in headers.items()],
        "timeout": _seconds(options.get("timeout")),
        "verify": options.get("verify", True) is not False,
        "redirects": options.get("allow_redirects", method != "head") is not False,
    }
    told, answer = ask(wanted, body)
    if "failed" in told:
        raise OSError(told["failed"])
    return monty.ClassInstance(Response(told, answer), eager_attrs=SHOWN, allowed_methods=("json", "raise_for_status"))


def _body(options: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The headers, and the body that they describe."""
    headers, data = dict(options.get("headers") or {}), options.get("data")
    named = {name.lower() for name in headers}
    if (auth := options.get("auth")) is not None:
        headers["Authorization"] = "Basic " + b64encode(":".join(map(str, auth)).encode()).decode()
    kind, body = "", b""
    if options.get("json") is not None:
        kind, body = "application/json", json.dumps(options["json"]).encode()
    elif isinstance(data, str | bytes):
        body = data.encode() if isinstance(data, str) else data
    elif data:
        kind, body = "application/x-www-form-urlencoded", urlencode(_pairs(data)).encode()
    if kind and "content-type" not in named:
        headers["Content-Type"] = kind
    return headers, body


def _pairs(given: Any) -> list[tuple[str, str]]:
    """Names and values; a list stands for several of one name, and None for none."""
    rows = given.items() if isinstance(given, Mapping) else given or ()
    several = ((name, value if isinstance(value, list | tuple) else [value]) for name, value in rows)
    return [(str(name), str(value)) for name, values in several for value in values if value is not None]


def _seconds(timeout: Any) -> float | None:
    times = timeout if isinstance(timeout, list | tuple) else [timeout]
    given = [float(time) for time in times if time is not None]
    return sum(given) if given else None
