"""trigger-webhook: a run begins with a request from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from difyproj.kernel import jsonio
from difyproj.kernel.decoding import decoded
from difyproj.kernel.errors import InvalidParam
from workflows.engine import template
from workflows.engine.kinds import NUMBERS, TEXTS, fits, is_array
from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import INPUTS, MISSING, VariablePool

RAW: Final = "_webhook_raw"
JSON: Final = "application/json"
URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
TEXT: Final = "text/plain"
BYTES: Final = "application/octet-stream"
_WITHHELD: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_MOST_FIELDS: Final = 1000
_SUCCESS: Final = {"status": "success", "message": "Webhook processed successfully"}


class Row(msgspec.Struct, frozen=True):
    """A header, a parameter or a field of the body."""

    name: str
    type: str | None = "string"
    required: bool | None = False


class BodyField(msgspec.Struct, frozen=True):
    type: str | None = "string"
    required: bool | None = False


class TriggerWebhookData(msgspec.Struct, frozen=True):
    """``body`` is a mapping in some files of old versions. An empty ``content_type`` takes whatever comes."""

    method: str = "post"
    content_type: str | None = JSON
    headers: list[Row] | None = None
    params: list[Row] | None = None
    body: list[Row] | dict[str, BodyField] | None = None
    status_code: int | None = 200
    response_body: str | None = ""

    @property
    def fields(self) -> Sequence[Row]:
        if isinstance(self.body, Mapping):
            return [Row(name, stated.type, stated.required) for name, stated in self.body.items()]
        return self.body or ()


@dataclass(frozen=True, slots=True)
class Received:
    """A request as the edge took it: ``fields`` are those of a multipart form, files among them already kept and in the form in
    which they travel; of a body of bytes, its file is ``file``."""

    method: str
    headers: Sequence[tuple[str, str]] = ()
    query: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    fields: Mapping[str, Any] = field(default_factory=dict)
    file: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What the caller is told at once, in JSON; the run goes on."""

    status: int
    body: str


class TriggerWebhookNode(Node[TriggerWebhookData]):
    schema = TriggerWebhookData
    entry = True

    async def run(self, ctx: NodeContext[TriggerWebhookData]) -> NodeStream:
        """What the request held, taken apart before the run began."""
        inputs = dict(ctx.pool.scope(INPUTS))
        yield Done(outputs=inputs, inputs=inputs)


def inputs(data: TriggerWebhookData, received: Received) -> dict[str, Any]:
    """The inputs of the run that the request begins: each declared name, null where it is missing, and RAW, all there was.

    Raises InvalidParam naming what is missing or wrong.
    """
    if received.method.upper() != data.method.upper():
        raise InvalidParam(f"This webhook is called by {data.method.upper()}.", params="method")
    headers = {name.lower(): value for name, value in received.headers}
    query = dict(received.query)
    kind = _kind(data, received, headers.get("content-type", ""))
    body = _body(kind, received)
    by_name = {name.replace("-", "_"): value for name, value in headers.items()}
    made: dict[str, Any] = {}
    for row in data.headers or ():
        value = _demanded(row, by_name.get(row.name.lower().replace("-", "_"), MISSING), "header")
        made[row.name.replace("-", "_")] = value
    for row in data.params or ():
        made[row.name] = _typed(row, _demanded(row, query.get(row.name, MISSING), "parameter"), "parameter", is_text=True)
    made.update(_fields(data, kind, body))
    shown = {name: value for name, value in headers.items() if name not in _WITHHELD}
    made[RAW] = {"method": received.method.upper(), "headers": shown, "query_params": query, "body": body}
    return made


def response(data: TriggerWebhookData, node_id: str, given: Mapping[str, Any]) -> Response:
    """The configured answer, its text filled with the run's inputs ``given``; what is no JSON is told in some."""
    status = data.status_code if data.status_code is not None and 200 <= data.status_code <= 399 else 200
    text = data.response_body or ""
    if not text.strip():
        return Response(status, jsonio.dumps_text(_SUCCESS))
    filled = template.parse(text).render(VariablePool({node_id: given}))
    try:
        jsonio.loads(filled)
    except ValueError:
        filled = jsonio.dumps_text({"message": filled})
    return Response(status, filled)


def _kind(data: TriggerWebhookData, received: Received, stated: str) -> str:
    """The content type of the body. Raises InvalidParam when it is not the declared one."""
    kind = stated.partition(";")[0].strip().lower()
    expected = (data.content_type or "").strip().lower()
    is_there = bool(received.body or received.fields or received.file)
    if expected and is_there and kind != expected:
        raise InvalidParam(f"This webhook takes {expected}, not {kind or 'a body without a content type'}.", params="body")
    return expected or kind


def _body(kind: str, received: Received) -> Any:
    """The body as a value. Raises InvalidParam."""
    if kind == JSON:
        return _json(received.body) if received.body else {}
    if kind == URLENCODED:
        return _form(received.body)
    if kind == MULTIPART:
        return dict(received.fields)
    return received.file if kind == BYTES else decoded(received.body)


def _json(body: bytes) -> Any:
    try:
        return jsonio.loads(body)
    except ValueError:
        raise InvalidParam("The body is no JSON.", params="body") from None


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(decoded(body), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise InvalidParam(f"The body has more than {_MOST_FIELDS} fields.", params="body") from None


def _fields(data: TriggerWebhookData, kind: str, body: Any) -> Iterable[tuple[str, Any]]:
    """Declared fields of the body; of a text or a file there is one, which is all of it."""
    is_whole = kind not in (JSON, URLENCODED, MULTIPART)
    given = body if isinstance(body, Mapping) and not is_whole else {}
    for row in data.fields:
        value = (body if body else MISSING) if is_whole else given.get(row.name, MISSING)
        yield row.name, _typed(row, _demanded(row, value, "field"), "field", is_text=kind in (URLENCODED, MULTIPART))


def _demanded(row: Row, value: Any, what: str) -> Any:
    """The value, or null where it may be missing."""
    if value is not MISSING and value is not None:
        return value
    if row.required:
        raise InvalidParam(f"The {what} {row.name} is required.", params=row.name)
    return None


def _typed(row: Row, value: Any, what: str, *, is_text: bool) -> Any:
    kind = (row.type or "string").lower()
    if value is None:
        return None
    if is_text and isinstance(value, str) and kind not in TEXTS:
        value = _read(value, kind)
    if value is MISSING or not fits(value, kind):
        raise InvalidParam(f"The {what} {row.name} must be of the type {kind}.", params=row.name)
    return value


def _read(text: str, kind: str) -> Any:
    """What a text says that stands for a value of another type."""
    if kind == "boolean":
        return _TRUTHS.get(text.strip().lower(), MISSING)
    if kind in NUMBERS or kind == "object" or is_array(kind):
        try:
            return jsonio.loads(text.strip())
        except ValueError:
            return MISSING
    return text
