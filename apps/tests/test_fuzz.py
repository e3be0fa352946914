"""Whatever comes in: no crash, no exception in the log, and every refusal has the envelope."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as some

from difyproj.testing.contract import CITY
from difyproj.testing.rawhttp import RawAnswer, assert_ours, quiet_log, request, send
from difyproj.testing.served import Key, Served
from difyproj.tiers.error_shapes import for_path, openai

from . import odd

UNKNOWN = "00000000-0000-4000-8000-000000000000"
FORM = [
    {"text-input": {"label": "A", "variable": "a", "required": False, "max_length": 48}},
    {"number": {"label": "N", "variable": "n", "required": False}},
    {"select": {"label": "S", "variable": "s", "required": False, "options": ["x", "y"]}},
    {"checkbox": {"label": "C", "variable": "c", "required": False}},
    {"json_object": {"label": "J", "variable": "j", "required": False}},
    {"file": {"label": "F", "variable": "f", "required": False}},
    {"file-list": {"label": "L", "variable": "l", "required": False}},
]
ASKED: dict[str, Any] = {
    "inputs": {"a": "x"}, "query": "Hello?", "user": "u1", "response_mode": "blocking", "files": None, "conversation_id": "",
    "parent_message_id": None, "auto_generate_name": False, "trace_id": "t-1", "stage_events": False,
}  # fmt: skip
CONTENT_TYPES = (
    b"application/json", b"application/json; charset=utf-16", b"application/json; charset=\xff", b"APPLICATION/JSON", b"",
    b"application/x-www-form-urlencoded", b"multipart/form-data", b"multipart/form-data; boundary=", b"text/plain", b"*/*",
    b"multipart/form-data; boundary=" + b"x" * 300, b"multipart/form-data; boundary=\xff", b"multipart/mixed; boundary=x",
    b"application/octet-stream", b"application/json, text/html", b";", b"application/", b"a/b; c=\"", b"image/png",
)  # fmt: skip


@dataclass(slots=True)
class Target:
    """A served house with a conversation, seen from a thread."""

    house: Served
    conversation_id: str
    message_id: str

    def call(
        self, method: str, path: str, body: bytes = b"", *, key: Key | None = None, headers: dict[str, bytes] | None = None
    ) -> RawAnswer:
        token = (key or self.house.chat).token.encode()
        whole = {"Authorization": b"Bearer " + token, "Content-Type": b"application/json", **(headers or {})}
        answer = send(self.house.url, request(method, f"/v1{path}".encode(), whole, body))
        assert_ours(answer, openai=for_path(f"/v1{path}") is openai)
        return answer

    def json(self, method: str, path: str, body: Any, *, key: Key | None = None) -> RawAnswer:
        return self.call(method, path, odd.written(body), key=key)


@pytest.fixture
async def target(house: Served) -> Target:
    await house.configure(
        house.chat, **{**CITY, "user_input_form": FORM, "suggested_questions_after_answer": {"enabled": False}}
    )
    await house.configure(house.completion, **CITY)
    body = (await house.ask(response_mode="blocking", auto_generate_name=False)).json()
    return Target(house, body["conversation_id"], body["message_id"])


async def fuzz(test: Callable[[], None]) -> None:
    """The search works in a thread, the house answers on the loop; nothing may be logged as an error meanwhile."""
    with quiet_log():
        await asyncio.to_thread(test)


@pytest.mark.parametrize("mode", ["chat", "completion"])
async def test_any_question(target: Target, mode: str) -> None:
    key = target.house.chat if mode == "chat" else target.house.completion
    ids = some.sampled_from(("", UNKNOWN, target.conversation_id, target.message_id))
    file = odd.fields({"type": "image", "transfer_method": "local_file", "url": "x", "upload_file_id": UNKNOWN})
    body = some.builds(
        lambda base, more: {**base, **more},
        odd.fields(ASKED),
        some.fixed_dictionaries(
            {},
            optional={
                "inputs": odd.fields(dict.fromkeys("anscjfl")),
                "conversation_id": ids,
                "parent_message_id": ids,
                "files": some.lists(file, max_size=3),
                "response_mode": some.just("streaming"),
            },
        ),
    )

    @odd.search(150)
    @given(body)
    def search(given_body: Any) -> None:
        target.json("POST", f"/{mode}-messages", given_body, key=key)

    await fuzz(search)


async def test_any_body_of_the_other_operations(target: Target) -> None:
    known: dict[tuple[str, str], dict[str, Any]] = {
        ("POST", f"/chat-messages/{UNKNOWN}/stop"): {"user": "u1"},
        ("POST", f"/messages/{target.message_id}/feedbacks"): {"rating": "like", "user": "u1", "content": "x"},
        ("POST", f"/conversations/{target.conversation_id}/name"): {"user": "u1", "name": "x", "auto_generate": False},
        ("PUT", f"/conversations/{target.conversation_id}/variables/{UNKNOWN}"): {"user": "u1", "value": 1},
        ("PATCH", f"/conversations/{target.conversation_id}/variables/{UNKNOWN}"): {"user": "u1", "value": 1},
        ("DELETE", f"/conversations/{UNKNOWN}"): {"user": "u1"},
        ("POST", "/text-to-audio"): {"text": "x", "user": "u1", "voice": "v", "message_id": None, "streaming": False},
        ("POST", "/files/upload"): {"user": "u1"},
        ("POST", "/audio-to-text"): {"user": "u1"},
    }
    calls = some.sampled_from(sorted(known)).flatmap(lambda one: some.tuples(some.just(one), odd.fields(known[one])))

    @odd.search(250)
    @given(calls)
    def search(call: tuple[tuple[str, str], Any]) -> None:
        (method, path), body = call
        target.json(method, path, body)

    await fuzz(search)


async def test_any_query(target: Target) -> None:
    known = {
        "/conversations": ("user", "last_id", "limit", "sort_by", "pinned", "first_id"),
        "/messages": ("user", "conversation_id", "first_id", "limit"),
        f"/conversations/{target.conversation_id}/variables": ("user", "last_id", "limit", "variable_name"),
        "/app/feedbacks": ("page", "limit"),
        f"/messages/{target.message_id}/suggested": ("user",),
        f"/files/{UNKNOWN}/preview": ("user", "as_attachment"),
        f"/runs/{UNKNOWN}/events": ("user", "after"),
        "/parameters": ("user", "format"),
    }
    ids = some.sampled_from((target.conversation_id, target.message_id, UNKNOWN, "u1", "20", "true"))
    words = some.one_of(
        ids.map(str.encode),
        odd.texts.map(lambda text: text[:300].encode("utf-8", "surrogatepass")),
        odd.numbers.map(lambda number: str(number)[:500].encode()),
        some.binary(max_size=8),
    )
    calls = some.sampled_from(sorted(known)).flatmap(
        lambda path: some.tuples(some.just(path), some.lists(some.tuples(some.sampled_from(known[path]), words), max_size=4))
    )

    @odd.search(250)
    @given(calls)
    def search(call: tuple[str, list[tuple[str, bytes]]]) -> None:
        path, query = call
        target.call("GET", f"{path}?" + "&".join(f"{name}={quote_from_bytes(value)}" for name, value in query))

    await fuzz(search)


async def test_any_bytes_under_any_content_type(target: Target) -> None:
    paths = some.sampled_from(
        (
            "/chat-messages", f"/messages/{target.message_id}/feedbacks", "/files/upload", "/text-to-audio",
            "/chat/completions", "/embeddings",
        )
    )  # fmt: skip

    @odd.search(250)
    @given(paths, odd.raw, some.sampled_from(CONTENT_TYPES))
    def search(path: str, body: bytes, content_type: bytes) -> None:
        target.call("POST", path, body, headers={"Content-Type": content_type})

    await fuzz(search)


async def test_any_form_with_files(target: Target) -> None:
    names = some.one_of(
        some.sampled_from((b"a.png", b"", b".", b"..", b"a\0.png", b"\xff.png", b"a" * 300 + b".wav", b'a"b', b"a/b", b"a\\b")),
        some.binary(max_size=12).filter(lambda name: b"\r" not in name and b"\n" not in name),
    )
    part = some.builds(
        lambda field, name, kind, body: (
            b'--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n' % (field, name)
            + (b"Content-Type: %s\r\n" % kind if kind is not None else b"") + b"\r\n" + body + b"\r\n"
        ),
        some.sampled_from((b"file", b"file", b"other", b"", b"\xff")),
        names,
        some.sampled_from((b"image/png", b"audio/wav", b"text/plain", b"", None, b"a/b\xff", b"x" * 400, b"\0")),
        some.binary(max_size=30),
    )  # fmt: skip
    user = some.sampled_from((b"u1", b"", b"\0", b"\xff", b"x" * 300)).map(
        lambda name: b'--x\r\nContent-Disposition: form-data; name="user"\r\n\r\n' + name + b"\r\n"
    )
    junk = some.sampled_from((b"--x\r\n", b"--x\r\n\r\n", b"--x\r\nContent-Disposition: \xff\r\n\r\na\r\n", b"\r\n", b"a" * 99))
    end = some.sampled_from((b"--x--\r\n", b"--x--\r\n", b"--x", b""))

    @odd.search(200)
    @given(some.sampled_from(("/files/upload", "/audio-to-text")), some.lists(some.one_of(part, user, junk), max_size=4), end)
    def search(path: str, parts: list[bytes], end: bytes) -> None:
        target.call("POST", path, b"".join(parts) + end, headers={"Content-Type": b"multipart/form-data; boundary=x"})

    await fuzz(search)


async def test_any_address(target: Target) -> None:
    segments = some.one_of(
        some.sampled_from(
            ("messages", "conversations", "files", "runs", "name", "%00", "%ff", "%ed%a0%80", "..", ".", "", "%2f")
        ),
        some.sampled_from(
            ("%0d%0a", "x" * 3000, "%", "%zz", "é".encode().decode("latin-1"), "suggested", "preview", "{}", "*")
        ),
        some.binary(min_size=1, max_size=6).map(quote_from_bytes),
    )
    starts = some.sampled_from(
        (b"/v1/", b"/v1/messages/", b"/v1/conversations/", b"/v1/files/", b"/v1/end-users/", b"/api/", b"/files/")
    )
    methods = some.sampled_from(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"))

    @odd.search(250)
    @given(methods, starts, some.lists(segments, max_size=4))
    def search(method: str, start: bytes, more: list[str]) -> None:
        path = start + "/".join(more).encode("latin-1")
        headers = {"Authorization": b"Bearer " + target.house.chat.token.encode()}
        answer = send(target.house.url, request(method, path, headers))
        if method == "HEAD":
            assert 200 <= answer.status < 500
        else:
            assert_ours(answer)

    await fuzz(search)


async def test_any_header(target: Target) -> None:
    names = some.sampled_from(
        ("Authorization", "Idempotency-Key", "X-Request-ID", "X-Trace-Id", "traceparent", "Last-Event-ID", "Accept", "Cookie",
         "Host", "X-Forwarded-For", "Accept-Language", "Accept-Encoding", "Origin", "User-Agent", "Content-Encoding", "Expect2")
    )  # fmt: skip
    contents = some.one_of(
        some.sampled_from(
            (b"", b"Bearer", b"Bearer  ", b"Bearer \xff", b"Basic x", b"x" * 300, b"x" * 5000, b"\xff" * 20, b"text/html")
        ),
        some.binary(max_size=20).map(lambda value: bytes(byte for byte in value if byte >= 32 and byte != 127)),
    )
    paths = some.sampled_from((("GET", "/info"), ("POST", "/chat-messages"), ("GET", f"/runs/{UNKNOWN}/events")))

    @odd.search(200)
    @given(paths, some.dictionaries(names, contents, max_size=4))
    def search(where: tuple[str, str], headers: dict[str, bytes]) -> None:
        whole = {"Authorization": b"Bearer " + target.house.chat.token.encode(), "Content-Type": b"application/json", **headers}
        body = odd.written(ASKED) if where[0] == "POST" else b""
        answer = send(target.house.url, request(where[0], f"/v1{where[1]}".encode(), whole, body))
        if answer.media_type != "text/html":
            assert_ours(answer)
        assert 200 <= answer.status < 500

    await fuzz(search)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": b"5"},
        {"Content-Length": b"100000"},
        {"Content-Length": b"-1"},
        {"Content-Length": b"nonsense"},
        {"Content-Length": b"9" * 40},
        {"Content-Length": b"\xb2"},
        {"Transfer-Encoding": b"chunked"},
        {"Transfer-Encoding": b"gzip, chunked"},
        {"Expect": b"100-continue"},
    ],
    ids=str,
)
async def test_a_length_that_is_wrong_hurts_nobody(target: Target, headers: dict[str, bytes]) -> None:
    def attack() -> None:
        whole = {"Authorization": b"Bearer " + target.house.chat.token.encode(), "Content-Type": b"application/json", **headers}
        sent = request("POST", b"/v1/chat-messages", whole, odd.written(ASKED))
        answer = send(target.house.url, sent, end=True)
        assert answer.status < 500, answer

    await fuzz(attack)
    assert (await target.house.call("GET", "/v1/info")).status == 200
