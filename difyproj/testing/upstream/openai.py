"""The OpenAI wire: chat and legacy completions by SSE, embeddings, rerank, speech, moderation, models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from difyproj.kernel import jsonio
from difyproj.model_runtime.messages import ToolCall

from .script import BadRequest, Document, Frames, Received, Script, Understood, cut, overlap, vector

_FIXED = {"id": "chatcmpl-fake", "created": 1700000000, "system_fingerprint": "fp_fake"}
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


class OpenAIWire:
    def is_stream(self, request: Received) -> bool:
        return isinstance(request.body, dict) and request.body.get("stream") is True and "completions" in request.path

    def understand(self, request: Received) -> Understood:
        body = request.body
        if "prompt" in body:
            turns = [("user", body["prompt"])]
            return Understood(
                model=body["model"], turns=turns, stop=_listed(body.get("stop")), max_tokens=body.get("max_tokens")
            )
        return understand_chat(body)

    def frames(self, script: Script, asked: Understood, request: Received) -> Frames:
        legacy = "prompt" in request.body
        tokens, _ = cut(script.tokens, asked.stop)
        finish = script.finish or ("tool_calls" if script.tool_calls else "stop")
        kind = "text_completion" if legacy else "chat.completion.chunk"

        def frame(**fields: Any) -> bytes:
            return _event({**_FIXED, "object": kind, "model": asked.model, **fields})

        def choice(delta: dict[str, Any], reason: str | None = None) -> bytes:
            row: dict[str, Any] = {"index": 0, "finish_reason": reason, "logprobs": None}
            row |= {"text": delta.get("content", "")} if legacy else {"delta": delta}
            return frame(choices=[row])

        pieces = [choice({"reasoning_content": text}) for text in script.reasoning]
        pieces += [choice({"content": token}) for token in tokens]
        pieces += [choice({"tool_calls": [delta]}) for delta in _call_deltas(script.tool_calls)]
        if script.stream_error:
            pieces.append(_event(self.error(500, script.stream_error)))
        end = [choice({}, finish)]
        if script.usage and (request.body.get("stream_options") or {}).get("include_usage"):
            end.append(frame(choices=[], usage=_usage(script.usage)))
        begin = [] if legacy else [choice({"role": "assistant", "content": ""})]
        return Frames(begin, pieces, [*end, b"data: [DONE]\n\n"], b'data: {"choices": [{"delta": {"cont\n\n')

    def document(self, script: Script, request: Received) -> Document:
        path = request.path.partition("?")[0]
        body = request.body
        if path.endswith("/audio/speech"):
            return Document(script.audio, "audio/mpeg")
        if path.endswith("/chat/completions"):
            return Document(jsonio.dumps(_completion(script, body)))
        if path.endswith("/embeddings"):
            texts = _listed(body["input"])
            rows = [
                {"object": "embedding", "index": index, "embedding": vector(text, script.dimensions)}
                for index, text in enumerate(texts)
            ]
            tokens = sum(len(text.split()) for text in texts)
            usage = {"prompt_tokens": tokens, "total_tokens": tokens}
            return Document(jsonio.dumps({"object": "list", "data": rows[::-1], "model": body["model"], "usage": usage}))
        return Document(jsonio.dumps(self._small(script, path, request)))

    def _small(self, script: Script, path: str, request: Received) -> Any:
        body = request.body
        if path.endswith("/rerank"):
            return reranked(body)
        if path.endswith("/moderations"):
            return {"id": "modr-fake", "model": body["model"], "results": [{"flagged": script.flagged, "categories": {}}]}
        if path.endswith("/audio/transcriptions"):
            if b'name="file"' not in request.raw or b'name="model"' not in request.raw:
                raise BadRequest("A multipart form with file and model is needed.")
            return {"text": script.transcript}
        if path.endswith(("/models", "/key")):
            return {"object": "list", "data": [{"id": "fake-model", "object": "model", "owned_by": "fake"}]}
        raise BadRequest(f"No such path: {path}")

    def error(self, status: int, message: str) -> Any:
        if status == 422:
            return {"detail": [{"type": "extra_forbidden", "loc": ["body", message], "msg": "Extra inputs are not permitted"}]}
        return {"error": {"message": message, "type": "fake_error", "param": None, "code": None}}


def understand_chat(body: dict[str, Any]) -> Understood:
    """Reads the chat body strictly."""
    seen: dict[str, list[Any]] = {name: [] for name in ("system", "turns", "images", "audio", "documents", "calls", "results")}
    for message in body["messages"]:
        if message["role"] not in _ROLES:
            raise BadRequest(f"Invalid role {message['role']}.")
        text = _content(message.get("content"), seen)
        if message["role"] in ("system", "developer"):
            seen["system"].append(text)
        elif message["role"] == "tool":
            seen["results"].append((message["tool_call_id"], text))
        else:
            seen["turns"].append((message["role"], text))
        for call in message.get("tool_calls") or ():
            seen["calls"].append(ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"]))
    tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in body.get("tools") or ()}
    return Understood(
        model=body["model"],
        system="\n".join(seen["system"]),
        turns=seen["turns"],
        images=seen["images"],
        audio=seen["audio"],
        documents=seen["documents"],
        tools=tools,
        tool_calls=seen["calls"],
        tool_results=seen["results"],
        schema=_schema(body.get("response_format")),
        stop=_listed(body.get("stop")),
        temperature=body.get("temperature"),
        max_tokens=body.get("max_completion_tokens", body.get("max_tokens")),
    )


def reranked(body: dict[str, Any]) -> dict[str, Any]:
    """The answer of the rerank call that several wires share."""
    rows = [{"index": i, "relevance_score": overlap(body["query"], text)} for i, text in enumerate(body["documents"])]
    rows.sort(key=lambda row: -row["relevance_score"])
    return {"id": "rerank-fake", "results": rows[: body.get("top_n")], "meta": {}, "usage": {"total_tokens": 5}}


def _event(value: Any) -> bytes:
    return b"data: " + jsonio.dumps(value) + b"\n\n"


def _usage(usage: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}


def _listed(value: str | Sequence[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _schema(form: dict[str, Any] | None) -> Any:
    if not form or form["type"] == "text":
        return None
    return form["json_schema"]["schema"] if form["type"] == "json_schema" else {}


def _content(content: Any, seen: dict[str, list[Any]]) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    texts: list[str] = []
    for part in content:
        match part["type"]:
            case "text":
                texts.append(part["text"])
            case "image_url":
                seen["images"].append(part["image_url"]["url"])
            case "input_audio":
                seen["audio"].append(part["input_audio"]["data"])
            case "file":
                seen["documents"].append(part["file"]["file_data"])
            case other:
                raise BadRequest(f"Invalid content type {other}.")
    return "".join(texts)


def _call_deltas(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = []
    for index, call in enumerate(calls):
        half = len(call.arguments) // 2
        function = {"name": call.name, "arguments": ""}
        deltas.append({"index": index, "id": call.id, "type": "function", "function": function})
        deltas.append({"index": index, "function": {"arguments": call.arguments[:half]}})
        deltas.append({"index": index, "function": {"arguments": call.arguments[half:]}})
    return deltas


def _completion(script: Script, body: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in script.tool_calls
    ]
    message: dict[str, Any] = {"role": "assistant", "content": script.text}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    usage = {"usage": _usage(script.usage)} if script.usage else {}
    return {**_FIXED, "object": "chat.completion", "model": body["model"], "choices": [choice], **usage}
