"""A caller's sampling options as the door's neutral parameters, and refusals of what is not offered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from difyproj.kernel.errors import InvalidParam

from .base import Unsupported

SAME_NAME: Final = (
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "reasoning_effort", "verbosity",
)  # fmt: skip
MOST_STOPS: Final = 4
REFUSED: Final = {
    "tools": "Tools are not supported yet: the app decides what its model may use.",
    "functions": "Functions are not supported yet: the app decides what its model may use.",
    "logprobs": "Log probabilities are not supported.",
    "logit_bias": "Token biases are not supported.",
}


def refuse_unsupported(fields: Mapping[str, Any]) -> None:
    """Raises Unsupported for the first option that would change the answer's form and is not offered."""
    for name, reason in REFUSED.items():
        if fields.get(name):
            raise Unsupported(reason, params=name)
    if fields.get("n") not in (None, 1):
        raise Unsupported("Only one choice is made: n must be 1.", params="n")
    if fields.get("modalities") not in (None, [], ["text"]):
        raise Unsupported("Answers are text only.", params="modalities")


def parameters(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, by the names of the model runtime's rules. Raises InvalidParam for malformed ones."""
    found = {name: fields[name] for name in SAME_NAME if fields.get(name) is not None}
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    if limit:
        found["max_tokens"] = limit
    stop = _stop(fields.get("stop"))
    if stop:
        found["stop"] = stop
    return found | _format(fields.get("response_format"))


def _stop(given: Any) -> list[str]:
    words = [given] if isinstance(given, str) else given or []
    if not isinstance(words, list) or len(words) > MOST_STOPS or not all(isinstance(word, str) and word for word in words):
        raise InvalidParam(f"stop must be a text or a list of at most {MOST_STOPS}.", params="stop")
    return words


def _format(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Plain text is what the app does anyway, unless it was configured for JSON, and then its readers rely on it."""
    if not given or given.get("type") == "text":
        return {}
    if given.get("type") == "json_object":
        return {"response_format": "json_object"}
    if given.get("type") != "json_schema":
        raise InvalidParam("response_format.type must be text, json_object or json_schema.", params="response_format")
    wrapped = given.get("json_schema")
    if not isinstance(wrapped, Mapping) or not isinstance(wrapped.get("schema"), Mapping):
        raise InvalidParam("response_format.json_schema must be an object with a schema.", params="response_format")
    return {"response_format": "json_schema", "json_schema": dict(wrapped)}
