"""http-request nodes: the call they make, the trace they leave, and what they make of the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from difyproj.kernel.errors import InvalidParam
from difyproj.testing.fakes import scripted
from workflows.engine.events import NodeFinished, NodeRetried
from workflows.engine.graph import BoundGraph, GraphError
from workflows.engine.node import Done, NodeContext
from workflows.engine.pool import VariablePool
from workflows.engine.ports import HttpAnswer, HttpCall
from workflows.engine.state import RunState
from workflows.nodes.http_request import HttpRequestNode

from .graphs import TYPES, chain, events_of
from .nodes import file

URL = "https://api.example.com/v1"
POOL: dict[str, Mapping[str, Any]] = {
    "n": {"word": "a b", "quoted": 'say "hi"\nnow', "evil": "x\r\nX-Admin: 1", "url": "https://evil.example/", "none": None},
    "env": {"key": "sk-very-secret", "base": URL, "host": "api.example.com"},
    "f": {"one": file(), "more": [file(filename="b.png", mime_type="image/png"), file()]},
}


def answer(body: bytes = b"", status: int = 200, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, [(name.replace("_", "-"), value) for name, value in headers.items()], body)


@dataclass
class ScriptedHttp:
    answers: list[HttpAnswer] = field(default_factory=lambda: [answer()])
    calls: list[HttpCall] = field(default_factory=list)

    async def send(self, call: HttpCall) -> HttpAnswer:
        self.calls.append(call)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass
class Shelf:
    """Files whose bytes are their name."""

    kept: list[tuple[bytes, str, str]] = field(default_factory=list)

    async def read(self, file: Mapping[str, Any], *, limit: int) -> bytes:
        return bytes(str(file["filename"]), "ascii")

    async def keep(self, data: bytes, *, name: str, mime_type: str) -> Mapping[str, Any]:
        self.kept.append((data, name, mime_type))
        return file(filename=name, mime_type=mime_type, transfer_method="tool_file")


def pool() -> VariablePool:
    made = VariablePool(POOL)
    made.declare("env", "key", "secret")
    return made


async def sent(given: HttpAnswer | None = None, *, has_policy: bool = False, **data: Any) -> tuple[HttpCall, Done, Shelf]:
    """The call that a node with ``data`` makes, how it ends when ``given`` comes back, and what it kept."""
    http, shelf = ScriptedHttp([given or answer()]), Shelf()
    parsed = msgspec.convert({"url": URL, **data}, HttpRequestNode.schema, strict=False)
    ports = replace(scripted(), http=http, storage=shelf)
    ctx = NodeContext("h", parsed, pool(), ports, RunState(), has_policy=has_policy)
    (end,) = [output async for output in HttpRequestNode().run(ctx)]
    assert isinstance(end, Done)
    return http.calls[0], end, shelf


def body(kind: str, *rows: Any) -> dict[str, Any]:
    return {"type": kind, "data": list(rows)}


def text(value: str, key: str = "") -> dict[str, Any]:
    return {"id": "r", "key": key, "type": "text", "value": value}


def header(call: HttpCall, name: str) -> list[str]:
    return [value for key, value in call.headers if key.lower() == name.lower()]


@pytest.mark.parametrize("method", ["get", "POST", "Put", "patch", "delete", "head", "options"])
async def test_methods_are_known_in_any_case(method: str) -> None:
    assert (await sent(method=method))[0].method == method.upper()


def test_an_unknown_method_is_no_graph() -> None:
    with pytest.raises(GraphError, match="no method"):
        BoundGraph(chain(("h", "http-request", {"method": "brew", "url": URL})), TYPES)


async def test_url_headers_and_params_are_templates() -> None:
    call, _, _ = await sent(
        url="{{#env.base#}}/x",
        headers="X-A: {{#n.word#}}\n\nAccept:text/html:1\nX-A:2",
        params="q:{{#n.word#}}\nq:c\n:no\nflag",
    )
    assert call.url == f"{URL}/x"
    assert list(call.headers) == [("X-A", "a b"), ("Accept", "text/html:1"), ("X-A", "2")]
    assert list(call.params) == [("q", "a b"), ("q", "c"), ("flag", "")]


async def test_a_value_cannot_add_a_header() -> None:
    call, _, _ = await sent(headers="X-A: {{#n.evil#}}")
    assert list(call.headers) == [("X-A", "x X-Admin: 1")]


@pytest.mark.parametrize("url", ["ftp://a.example", "{{#n.none#}}", "{{#n.gone#}}", ""])
async def test_a_url_is_one_of_http(url: str) -> None:
    with pytest.raises(InvalidParam, match="http://") as refusal:
        await sent(url=url)
    assert refusal.value.params == "url"


@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        ({"type": "bearer", "api_key": "{{#env.key#}}"}, "Authorization", "Bearer sk-very-secret"),
        ({"type": "basic", "api_key": "ann:pw"}, "Authorization", "Basic YW5uOnB3"),
        ({"type": "basic", "api_key": "YW5uOnB3", "header": ""}, "Authorization", "Basic YW5uOnB3"),
        ({"type": "custom", "api_key": "k-1234", "header": "X-Key"}, "X-Key", "k-1234"),
        ({"type": "bearer", "api_key": "k-1234", "header": "X-Own"}, "X-Own", "Bearer k-1234"),
    ],
)
async def test_credentials_are_presented_and_leave_no_trace(config: dict[str, Any], name: str, value: str) -> None:
    call, end, _ = await sent(headers="authorization: mine\nX-Key: mine", authorization={"type": "api-key", "config": config})
    assert header(call, name) == [value]
    assert name in call.secret
    trace = json.dumps([end.process_data, end.inputs])
    assert value.rpartition(" ")[2] not in trace and config["api_key"] not in trace
    assert f"{name}: ******" in trace
    assert value.rpartition(" ")[2] not in repr(call)


@pytest.mark.parametrize("config", [{"type": "", "api_key": "", "header": None}, {"type": "bearer", "api_key": "k-1234"}, ""])
async def test_without_a_key_what_is_configured_does_not_count(config: Any) -> None:
    call, _, _ = await sent(authorization={"type": "no-auth", "config": config})
    assert header(call, "Authorization") == []


def test_a_key_of_an_unknown_kind_is_no_graph() -> None:
    data = {"url": URL, "authorization": {"type": "api-key", "config": {"type": "", "api_key": "k"}}}
    with pytest.raises(GraphError, match="config: Invalid enum value ''"):
        BoundGraph(chain(("h", "http-request", data)), TYPES)


@pytest.mark.parametrize("config", [None, {"type": "bearer", "api_key": ""}, {"type": "bearer", "api_key": "{{#n.none#}}"}])
async def test_a_credential_that_is_none_is_refused(config: Any) -> None:
    with pytest.raises(InvalidParam) as refusal:
        await sent(authorization={"type": "api-key", "config": config})
    assert str(refusal.value.params).startswith("authorization.config")


async def test_secrets_of_the_environment_leave_no_trace_wherever_they_stand() -> None:
    data: dict[str, Any] = {
        "params": "k:{{#env.key#}}",
        "headers": "X-Plain: {{#env.key#}}",
        "body": body("raw-text", text("<{{#env.key#}}>")),
    }
    call, end, _ = await sent(method="post", **data)
    assert call.body == b"<sk-very-secret>"
    assert call.secret == ("X-Plain",)
    assert "sk-very-secret" not in json.dumps([end.process_data, end.inputs])


@pytest.mark.parametrize(
    ("url", "bound"),
    [
        ("{{#n.url#}}", False),
        ("https://{{#n.word#}}.example.com/x", False),
        ("https://api.example.com{{#n.word#}}", False),
        ("{{#env.base#}}/{{#n.word#}}", True),
        ("https://{{#env.host#}}/{{#n.word#}}", True),
        ("https://{{#env.host#}}{{#n.word#}}", False),
        ("https://api.example.com/?q={{#n.word#}}", True),
    ],
)
@pytest.mark.parametrize(
    "data",
    [
        {"authorization": {"type": "api-key", "config": {"type": "bearer", "api_key": "sk"}}},
        {"authorization": {"type": "api-key", "config": {"type": "bearer", "api_key": "{{#env.key#}}"}}},
        {"headers": "X-Api-Key: abc"},
        {"params": "q:{{#env.key#}}"},
    ],
)
async def test_a_credential_goes_to_no_host_that_a_caller_chooses(url: str, bound: bool, data: dict[str, Any]) -> None:
    if bound:
        assert (await sent(url=url, **data))[0].url.startswith("https://api.example.com/")
        return
    with pytest.raises(InvalidParam, match="could choose to whom"):
        await sent(url=url, **data)


async def test_a_callers_own_key_may_go_where_the_caller_says() -> None:
    own = {"type": "api-key", "config": {"type": "bearer", "api_key": "{{#n.word#}}"}}
    call, _, _ = await sent(url="{{#n.url#}}", authorization=own, headers="Author: {{#n.word#}}")
    assert call.url == "https://evil.example/"


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ('{"a": "{{#n.word#}}", "b": 1}', {"a": "a b", "b": 1}),
        ('{"a": "{{#n.quoted#}}"}', {"a": 'say "hi"\nnow'}),
        ("{'a': 1, b: true,}", {"a": 1, "b": True}),
        ('["x"', ["x"]),
        ('{"a": NaN}', {"a": "NaN"}),
        ("{{#f.gone#}}", None),
    ],
)
async def test_a_json_body_is_mended(template: str, value: Any) -> None:
    if value is None:
        with pytest.raises(InvalidParam, match="no JSON"):
            await sent(method="post", body=body("json", text(template)))
        return
    call, _, _ = await sent(method="post", body=body("json", text(template)))
    assert json.loads(call.body or b"") == value
    assert header(call, "content-type") == ["application/json"]


@pytest.mark.parametrize("hostile", ["[" * 100_000, "{" * 2000 + "x", ""])
async def test_a_json_body_that_is_a_bomb_or_nothing_is_refused_in_words(hostile: str) -> None:
    with pytest.raises(InvalidParam, match="no JSON"):
        await sent(method="post", body=body("json", text(hostile)))


async def test_an_authors_content_type_stands() -> None:
    call, _, _ = await sent(method="post", headers="content-type: application/ld+json", body=body("json", text("{}")))
    assert header(call, "content-type") == ["application/ld+json"]


async def test_raw_text_and_forms() -> None:
    call, _, _ = await sent(method="post", body=body("raw-text", text("é {{#n.word#}}")))
    assert (call.body, header(call, "content-type")) == ("é a b".encode(), ["text/plain; charset=utf-8"])
    rows = [text("{{#n.word#}}", "q"), text("1&2", "q")]
    call, _, _ = await sent(method="post", body=body("x-www-form-urlencoded", *rows))
    assert (call.body, header(call, "content-type")) == (b"q=a+b&q=1%262", ["application/x-www-form-urlencoded"])


async def test_bodies_of_old_files_are_one_text() -> None:
    call, _, _ = await sent(method="post", body={"type": "json", "data": '{"a": "{{#n.word#}}"}'})
    assert call.body == b'{"a":"a b"}'
    call, _, _ = await sent(method="post", body={"type": "x-www-form-urlencoded", "data": "a:1\nb:{{#n.word#}}"})
    assert call.body == b"a=1&b=a+b"
    call, _, _ = await sent(body={"type": "none", "data": ""})
    assert (call.body, list(call.headers)) == (None, [])


async def test_multipart_holds_texts_and_files_and_its_boundary() -> None:
    rows = [
        text("{{#n.word#}}", "q"),
        {"key": 'na"me', "type": "file", "file": ["f", "one"]},
        {"key": "more", "type": "file", "file": ["f", "more"]},
        {"key": "nothing", "type": "file", "file": ["f", "gone"]},
    ]
    call, end, _ = await sent(method="post", headers="Content-Type: multipart/form-data", body=body("form-data", *rows))
    (kind,) = header(call, "content-type")
    boundary = kind.removeprefix("multipart/form-data; boundary=")
    parts = (call.body or b"").split(f"--{boundary}".encode())
    assert len(parts) == 6 and parts[-1] == b"--\r\n"
    assert parts[1] == b'\r\nContent-Disposition: form-data; name="q"\r\n\r\na b\r\n'
    assert b'name="na%22me"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\na.txt\r\n' in parts[2]
    assert b'filename="b.png"\r\nContent-Type: image/png\r\n\r\nb.png' in parts[3]
    assert end.process_data is not None and "<5 bytes>" in end.process_data["request"]


async def test_a_form_without_files_is_multipart_too() -> None:
    call, _, _ = await sent(method="post", body=body("form-data", text("1", "a")))
    assert header(call, "content-type")[0].startswith("multipart/form-data; boundary=")


async def test_a_file_is_the_body() -> None:
    call, _, _ = await sent(method="put", body=body("binary", {"type": "file", "file": ["f", "one"]}))
    assert (call.body, header(call, "content-type")) == (b"a.txt", ["text/plain"])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (body("json"), "body.data"),
        (body("raw-text", text("a"), text("b")), "body.data"),
        (body("binary", {"type": "file", "file": ["n", "word"]}), "body.data.0.file"),
        (body("form-data", {"key": "f", "type": "file", "file": ["n", "word"]}), "body.data.0.file"),
    ],
)
async def test_a_body_that_cannot_be_made_names_its_row(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParam) as refusal:
        await sent(method="post", body=given)
    assert refusal.value.params == field


async def test_times_and_tls_have_defaults_and_bounds() -> None:
    call, _, _ = await sent(timeout={"max_connect_timeout": 0}, ssl_verify=None)
    assert (call.timeout, call.verify_tls) == ((10.0, 600.0, 600.0), True)
    call, _, _ = await sent(timeout={"connect": 3, "read": "5", "write": 1e9}, ssl_verify=False)
    assert (call.timeout, call.verify_tls) == ((3.0, 5.0, 1200.0), False)


async def test_the_answer_becomes_the_outputs_whatever_its_status() -> None:
    _, end, _ = await sent(answer("né".encode(), 404, Content_Type="text/plain", X_A="1", x_a="2"))
    headers = {"content-type": "text/plain", "x-a": "1, 2"}
    assert end.outputs == {"status_code": 404, "body": "né", "headers": headers, "files": []}


@pytest.mark.parametrize(
    ("given", "name", "kind"),
    [
        (answer(b"\x89PNG", Content_Type="image/png"), None, "image/png"),
        (answer(b"a,b", Content_Type="text/csv", Content_Disposition="attachment; filename=t.csv"), "t.csv", "text/csv"),
        (answer(b"x", Content_Disposition="inline; filename*=UTF-8''%e4%b8%ad.pdf"), "中.pdf", "application/pdf"),
        (answer(b"x", Content_Disposition='attachment; filename="../../etc/passwd.txt"'), "passwd.txt", "text/plain"),
        (answer(b"%PDF-1.7 \xff\xfe", Content_Type="application/pdf"), None, "application/pdf"),
        (answer(b"\x00\x01\xff", Content_Type="application/octet-stream"), None, "application/octet-stream"),
    ],
)
async def test_files_are_told_from_texts_and_kept(given: HttpAnswer, name: str | None, kind: str) -> None:
    _, end, shelf = await sent(given)
    assert (end.outputs["body"], len(end.outputs["files"])) == ("", 1)
    assert shelf.kept[0][0] == given.body
    assert shelf.kept[0][2] == kind
    assert name is None or shelf.kept[0][1] == name
    assert shelf.kept[0][1]


@pytest.mark.parametrize(
    "given",
    [
        answer(b'{"a": 1}', Content_Type="application/json"),
        answer(b"<a/>", Content_Type="application/atom+xml"),
        answer(b'{"a": 1}', Content_Type="application/octet-stream"),
        answer(b"plain"),
        answer(b"", Content_Type="image/png"),
    ],
)
async def test_texts_are_no_files(given: HttpAnswer) -> None:
    _, end, shelf = await sent(given)
    assert (end.outputs["body"], end.outputs["files"], shelf.kept) == (given.body.decode(), [], [])


async def test_texts_are_read_in_their_encoding() -> None:
    _, end, _ = await sent(answer("é".encode("latin-1"), Content_Type="text/plain; charset=ISO-8859-1"))
    assert end.outputs["body"] == "é"
    _, end, _ = await sent(answer("这是一个测试文件。用来检查编码。".encode("gb18030"), Content_Type="text/plain"))
    assert end.outputs["body"] == "这是一个测试文件。用来检查编码。"
    _, end, _ = await sent(answer(b"ok", Content_Type="text/plain; charset=no-such"))
    assert end.outputs["body"] == "ok"


async def test_a_text_of_more_than_a_megabyte_is_refused() -> None:
    with pytest.raises(InvalidParam, match="1048576"):
        await sent(answer(b"a" * (1024 * 1024 + 1), Content_Type="text/plain"))


async def run_with(http: ScriptedHttp, **data: Any) -> list[Any]:
    tree = chain(("h", "http-request", {"url": URL, **data}))
    return await events_of(tree, replace(scripted(), http=http, storage=Shelf()))


async def test_an_error_status_is_tried_again_where_the_graph_says_so() -> None:
    http = ScriptedHttp([answer(status=503), answer(b"ok")])
    events = await run_with(http, retry_config={"retry_enabled": True, "max_retries": 2, "retry_interval": 1})
    assert len([event for event in events if isinstance(event, NodeRetried)]) == 1
    assert len(http.calls) == 2
    ends = {event.node_id: event for event in events if isinstance(event, NodeFinished)}
    assert ends["h"].outputs is not None and ends["h"].outputs["body"] == "ok"


async def test_an_error_status_is_a_failure_where_a_strategy_is_stated() -> None:
    default = [{"key": "body", "type": "string", "value": "sorry"}]
    events = await run_with(ScriptedHttp([answer(status=500)]), error_strategy="default-value", default_value=default)
    ends = {event.node_id: event for event in events if isinstance(event, NodeFinished)}
    assert ends["h"].status == "exception"
    told = {"error_message": "Request failed with status code 500", "error_type": "HTTPResponseCodeError"}
    assert ends["h"].outputs == {"body": "sorry", **told}
