"""The Anthropic Messages wire: strict about turns and max_tokens, typed events by SSE."""

from __future__ import annotations

from typing import Any

from difyproj.kernel import jsonio
from difyproj.model_runtime.messages import ToolCall

from .script import BadRequest, Document, Frames, Received, Script, Understood, cut


class AnthropicWire:
    def is_stream(self, request: Received) -> bool:
        return isinstance(request.body, dict) and request.body.get("stream") is True

    def understand(self, request: Received) -> Understood:
        if "anthropic-version" not in request.headers or not {"x-api-key", "authorization"} & set(request.headers):
            raise BadRequest("anthropic-version and a key are needed.")
        body = request.body
        if not isinstance(body.get("max_tokens"), int):
            raise BadRequest("max_tokens: Field required")
        seen: dict[str, list[Any]] = {name: [] for name in ("turns", "images", "documents", "calls", "results")}
        for number, message in enumerate(body["messages"]):
            if message["role"] != ("user", "assistant")[number % 2]:
                raise BadRequest("messages: roles must alternate and begin with user")
            self._blocks(message, seen)
        tools = {tool["name"]: tool["input_schema"] for tool in body.get("tools") or ()}
        forced = (body.get("tool_choice") or {}).get("name", "")
        return Understood(
            model=body["model"],
            system=body.get("system", ""),
            turns=seen["turns"],
            images=seen["images"],
            documents=seen["documents"],
            tools={name: schema for name, schema in tools.items() if name != forced},
            tool_calls=seen["calls"],
            tool_results=seen["results"],
            schema=tools.get(forced) or ((body.get("output_config") or {}).get("format") or {}).get("schema"),
            stop=body.get("stop_sequences") or (),
            temperature=body.get("temperature"),
            max_tokens=body["max_tokens"],
        )

    def _blocks(self, message: dict[str, Any], seen: dict[str, list[Any]]) -> None:
        content = message["content"]
        blocks: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts: list[str] = []
        for block in blocks:
            match block["type"]:
                case "text" if block["text"].strip():
                    texts.append(block["text"])
                case "image":
                    seen["images"].append(block["source"].get("data") or block["source"]["url"])
                case "document":
                    seen["documents"].append(block["source"]["data"])
                case "tool_use":
                    seen["calls"].append(ToolCall(block["id"], block["name"], jsonio.dumps_text(block["input"])))
                case "tool_result":
                    seen["results"].append((block["tool_use_id"], block["content"]))
                case other:
                    raise BadRequest(f"messages: invalid block {other}")
        if texts:
            seen["turns"].append((message["role"], "".join(texts)))

    def frames(self, script: Script, asked: Understood, request: Received) -> Frames:
        tokens, stopped = cut(script.tokens, asked.stop)
        forced = (request.body.get("tool_choice") or {}).get("name", "")
        prompt, said = script.usage or (0, 0)
        message: dict[str, Any] = {"id": "msg_fake", "type": "message", "role": "assistant", "model": asked.model}
        message["content"] = []
        message |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": prompt, "output_tokens": 1}}
        begin = [_event("message_start", message=message), _event("ping")]
        pieces: list[bytes] = []
        index = 0
        if script.reasoning:
            pieces += _block(index, {"type": "thinking", "thinking": "", "signature": ""}, "thinking", script.reasoning)
            index += 1
        if forced:
            pieces += _block(
                index, {"type": "tool_use", "id": "toolu_answer", "name": forced, "input": {}}, "partial_json", tokens
            )
            index += 1
        elif tokens:
            pieces += _block(index, {"type": "text", "text": ""}, "text", tokens)
            index += 1
        for call in script.tool_calls:
            half = len(call.arguments) // 2
            halves = [call.arguments[:half], call.arguments[half:]]
            pieces += _block(index, _tool_use(call.id, call.name), "partial_json", halves)
            index += 1
        if script.stream_error:
            pieces.append(_event("error", error={"type": "overloaded_error", "message": script.stream_error}))
        reason = "tool_use" if script.tool_calls or forced else "stop_sequence" if stopped else "end_turn"
        change = {"stop_reason": script.finish or reason, "stop_sequence": None}
        end = [_event("message_delta", delta=change, usage={"output_tokens": said}), _event("message_stop")]
        return Frames(begin, pieces, end, b'event: content_block_delta\ndata: {"type": "content_block_del\n\n')

    def document(self, script: Script, request: Received) -> Document:
        if request.path.partition("?")[0].endswith("/models"):
            if "x-api-key" not in request.headers:
                raise BadRequest("x-api-key header is needed.")
            return Document(jsonio.dumps({"data": [{"type": "model", "id": "claude-fake"}], "has_more": False}))
        raise BadRequest(f"No such path: {request.path}")

    def error(self, status: int, message: str) -> Any:
        return {"type": "error", "error": {"type": "fake_error", "message": message}}


_DELTAS = {"thinking": "thinking_delta", "text": "text_delta", "partial_json": "input_json_delta"}


def _block(index: int, opening: dict[str, Any], field: str, texts: Any) -> list[bytes]:
    """One content block: its start, its deltas, its stop; the frames without text ride along with the others."""
    frames = [_event("content_block_delta", index=index, delta={"type": _DELTAS[field], field: text}) for text in texts if text]
    if opening["type"] == "thinking":
        frames.append(_event("content_block_delta", index=index, delta={"type": "signature_delta", "signature": "c2ln"}))
    start = _event("content_block_start", index=index, content_block=opening)
    stop = _event("content_block_stop", index=index)
    if not frames:
        return [start + stop]
    frames[0] = start + frames[0]
    frames[-1] += stop
    return frames


def _tool_use(call_id: str, name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + jsonio.dumps({"type": kind, **fields}) + b"\n\n"
