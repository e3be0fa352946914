"""Log lines: one JSON object per line (or plain text for people), with who is asking and without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec

from .secrets import redact

LOGGER_NAME = "dify.api"
# At DEBUG the servers and clients write down what goes over the wire, tokens included.
WIRE_LOGGERS = ("uvicorn", "websockets", "daphne", "aiohttp")
# Servers write whole addresses, signatures of files included; the request line is ours. They must be named: a logger below a
# named one is set back to passing on whatever the server had switched off.
ACCESS_LOGGERS = ("uvicorn.access", "hypercorn.access", "gunicorn.access", "daphne.access", "aiohttp.access")

_logger = logging.getLogger(LOGGER_NAME)
_context: ContextVar[dict[str, str] | None] = ContextVar("log_context", default=None)
_encode = msgspec.json.Encoder(enc_hook=str).encode
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def set_context(*, request_id: str | None = None, user_id: str | None = None, app_id: str | None = None) -> None:
    """Name who is asking in every later line of this task and of what it starts. What is None stays as it was.

    A ``request_id`` begins a new context; other names are added to the present one, also when a thread that the request
    waits for finds them out.
    """
    current = _context.get()
    if current is None or request_id is not None:
        current = {}
        _context.set(current)
    for name, value in (("request_id", request_id), ("user_id", user_id), ("app_id", app_id)):
        if value is not None:
            current[name] = value


def clear_context() -> None:
    """Forget who was asking, for later lines of this task only."""
    _context.set(None)


def context() -> dict[str, str]:
    """What is known now of ``request_id``, ``user_id`` and ``app_id``; empty values are left out."""
    return {name: value for name, value in (_context.get() or {}).items() if value}


def request_completed(
    *, method: str, endpoint: str, status_code: int, execution_time: float, user_agent: str, ip_address: str
) -> None:
    """The request line. ``endpoint`` is the path without its query, ``execution_time`` in seconds."""
    level = logging.ERROR if status_code >= 500 else logging.INFO
    if _logger.isEnabledFor(level):
        fields = {
            "method": method,
            "endpoint": endpoint,
            "status_code": status_code,
            "execution_time": execution_time,
            "user_agent": user_agent,
            "ip_address": ip_address,
        }
        _logger.log(level, "API request completed", extra=fields)


class JsonFormatter(logging.Formatter):
    """``timestamp`` (UTC, ISO 8601), ``level``, ``message``, ``context``, then the extras at top level, redacted."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "timestamp": _timestamp(record.created),
            "level": record.levelname,
            "message": _message(record),
            "context": context(),
        }
        if record.name != LOGGER_NAME:
            fields["logger"] = record.name
        for name, value in _extras(record).items():
            fields[f"extra_{name}" if name in fields else name] = value
        trouble = _trouble(self, record)
        if trouble:
            fields["exception"] = trouble
        try:
            return _encode(fields).decode()
        except (TypeError, ValueError, OverflowError):
            # Lone surrogates, integers beyond 64 bits, odd keys: rare, and no reason to lose the line.
            return json.dumps(_text_keys(fields), default=str)


class TextFormatter(logging.Formatter):
    """For a terminal: time, level, logger, message, then context and extras as ``name=value``. One line before a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        message = _message(record).replace("\r", "\\r").replace("\n", "\\n")
        details = "".join(f" {name}={value!r}" for name, value in {**context(), **_extras(record)}.items())
        trouble = _trouble(self, record)
        line = f"{_timestamp(record.created)} {record.levelname} {record.name} {message}{details}"
        return f"{line}\n{trouble}" if trouble else line


def logging_config(*, json: bool, level: str) -> dict[str, Any]:
    """For ``logging.config.dictConfig``: everything to standard error, in one of the two shapes, from ``level`` up."""
    formatter = JsonFormatter if json else TextFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"{__name__}.{formatter.__name__}"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            LOGGER_NAME: {"level": level},
            **{name: {"level": "INFO" if level == "DEBUG" else level} for name in WIRE_LOGGERS},
            **{name: {"handlers": [], "propagate": False} for name in ACCESS_LOGGERS},
        },
    }


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    args = record.args
    if not args:
        return str(record.msg)
    safe = redact(args) if isinstance(args, Mapping) else tuple(redact(arg) for arg in args)
    return str(record.msg) % safe


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    found = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
    return redact(found) if found else found


def _trouble(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = [formatter.formatException(record.exc_info)] if record.exc_info else []
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def _text_keys(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _text_keys(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_text_keys(item) for item in value]
    return value
