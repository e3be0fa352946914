"""Ollama's native wire: one JSON document per line."""

from __future__ import annotations

from typing import Any

from difyproj.kernel import jsonio
from difyproj.model_runtime.messages import ToolCall

from .script import BadRequest, Document, Frames, Received, Script, Understood, cut, vector

_STAMP = "2025-01-01T00:00:00Z"


class OllamaWire:
    def is_stream(self, request: Received) -> bool:
        return request.path in ("/api/chat", "/api/generate") and request.body.get("stream", True) is True

    def understand(self, request: Received) -> Understood:
        body = request.body
        options = body.get("options") or {}
        seen: dict[str, list[Any]] = {name: [] for name in ("system", "turns", "images", "calls", "results")}
        messages = body["messages"] if "messages" in body else [{"role": "user", "content": body["prompt"]}]
        for message in messages:
            if not isinstance(message.get("content"), str):
                raise BadRequest("json: cannot unmarshal into Go struct field ChatRequest.messages.content of type string")
            match message["role"]:
                case "system":
                    seen["system"].append(message["content"])
                case "tool":
                    seen["results"].append((message["tool_name"], message["content"]))
                case role:
                    seen["turns"].append((role, message["content"]))
            seen["images"] += message.get("images") or ()
            for call in message.get("tool_calls") or ():
                function = call["function"]
                seen["calls"].append(ToolCall("", function["name"], jsonio.dumps_text(function["arguments"])))
        form = body.get("format")
        return Understood(
            model=body["model"],
            system="\n".join(seen["system"]),
            turns=seen["turns"],
            images=seen["images"],
            tools={tool["function"]["name"]: tool["function"]["parameters"] for tool in body.get("tools") or ()},
            tool_calls=seen["calls"],
            tool_results=seen["results"],
            schema=form if isinstance(form, dict) else None,
            stop=options.get("stop") or (),
            temperature=options.get("temperature"),
            max_tokens=options.get("num_predict"),
        )

    def frames(self, script: Script, asked: Understood, request: Received) -> Frames:
        tokens, _ = cut(script.tokens, asked.stop)
        legacy = request.path == "/api/generate"

        def line(done: bool = False, **fields: Any) -> bytes:
            row: dict[str, Any] = {"model": asked.model, "created_at": _STAMP}
            row |= (
                {"response": fields.get("content", "")}
                if legacy
                else {"message": {"role": "assistant", "content": "", **fields}}
            )
            row["done"] = done
            if done:
                row["done_reason"] = script.finish or "stop"
                if script.usage:
                    row |= {"prompt_eval_count": script.usage[0], "eval_count": script.usage[1], "total_duration": 1}
            return jsonio.dumps(row) + b"\n"

        pieces = [line(thinking=text) for text in script.reasoning]
        pieces += [line(content=token) for token in tokens]
        for call in script.tool_calls:
            given = {"name": call.name, "arguments": jsonio.loads(call.arguments or "{}")}
            pieces.append(line(tool_calls=[{"function": given}]))
        if script.stream_error:
            pieces.append(jsonio.dumps(self.error(500, script.stream_error)) + b"\n")
        return Frames([], pieces, [line(done=True)], b'{"model": "broken\n', "application/x-ndjson")

    def document(self, script: Script, request: Received) -> Document:
        if request.path == "/api/embed":
            texts = request.body["input"]
            vectors = [vector(text, script.dimensions) for text in texts]
            tokens = sum(len(text.split()) for text in texts)
            return Document(jsonio.dumps({"model": "fake", "embeddings": vectors, "prompt_eval_count": tokens}))
        if request.path == "/api/tags":
            return Document(jsonio.dumps({"models": [{"name": "fake:latest"}]}))
        raise BadRequest(f"No such path: {request.path}")

    def error(self, status: int, message: str) -> Any:
        return {"error": message}
