"""What a node of a type begins with in an editor, for types that begin with something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from difyproj.kernel.errors import NotFound
from workflows.nodes import NODES

PYTHON, JAVASCRIPT = "python3", "javascript"
_ARGUMENTS: Final[list[dict[str, Any]]] = [{"variable": name, "value_selector": []} for name in ("arg1", "arg2")]
_RESULT: Final = {"result": {"type": "string", "children": None}}
_CODE: Final = {
    PYTHON: 'def main(arg1: str, arg2: str):\n    return {"result": arg1 + arg2}\n',
    JAVASCRIPT: "function main({arg1, arg2}) {\n    return {result: arg1 + arg2}\n}\n",
}
_ROLES: Final = {"user_prefix": "Human", "assistant_prefix": "Assistant"}
_COMPLETION: Final = {"conversation_histories_role": _ROLES, "stop": ["Human:"]}
_CHAT_PROMPT: Final = {"role": "system", "text": "You are a helpful assistant.", "edition_type": "basic"}
_PLAIN_PROMPT: Final = {
    "text": "This is the conversation so far:\n\n{{#histories#}}\n\nHuman: {{#sys.query#}}\n\nAssistant:",
    "edition_type": "basic",
}

DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "llm": {
        "prompt_templates": {
            "chat_model": {"prompts": [_CHAT_PROMPT]},
            "completion_model": {**_COMPLETION, "prompt": _PLAIN_PROMPT},
        }
    },
    "template-transform": {"variables": _ARGUMENTS[:1], "template": "{{ arg1 }}"},
    "question-classifier": {"instructions": ""},
    "parameter-extractor": {"model": {"prompt_templates": {"completion_model": _COMPLETION}}},
    "http-request": {
        "method": "get",
        "authorization": {"type": "no-auth"},
        "body": {"type": "none"},
        "timeout": {"connect": 10, "read": 60, "write": 20, "max_connect_timeout": 10, "max_read_timeout": 60,
                    "max_write_timeout": 20},
        "ssl_verify": True,
    },
    "iteration": {"is_parallel": False, "parallel_nums": 10, "error_handle_mode": "terminated"},
}  # fmt: skip
CODE: Final = "code"


class NodeTypeNotFound(NotFound):
    default_message = "Node type not found."


def every() -> list[dict[str, Any]]:
    """The defaults of each type that has some."""
    return [one(kind) for kind in (CODE, *DEFAULTS) if kind in NODES]


def one(kind: str, *, language: str = PYTHON) -> dict[str, Any]:
    """The defaults of this type; nothing in ``config`` for one that begins empty. Raises NodeTypeNotFound."""
    if kind not in NODES:
        raise NodeTypeNotFound
    return {"type": kind, "config": _code(language) if kind == CODE else dict(DEFAULTS.get(kind, {}))}


def _code(language: str) -> dict[str, Any]:
    known = language if language in _CODE else PYTHON
    return {"variables": _ARGUMENTS, "code_language": known, "code": _CODE[known], "outputs": _RESULT}
